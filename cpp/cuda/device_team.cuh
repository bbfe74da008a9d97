// Teams of threads in a kernel; cpp/tests/host_team.hpp says what each call means.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>
#include <cstring>

#include "rebasin/cuda.hpp"

namespace rebasin::cuda {

inline constexpr int warp_lanes = 32;
inline constexpr unsigned all_lanes = 0xffffffffu;

template <class V>
__device__ inline V exchange(V value, int mask) {
  static_assert(sizeof(V) % sizeof(int) == 0, "values travel in words");
  int words[sizeof(V) / sizeof(int)];
  memcpy(words, &value, sizeof(V));
  for (int& word : words) word = __shfl_xor_sync(all_lanes, word, mask);
  memcpy(&value, words, sizeof(V));
  return value;
}

// 32 lanes of a one-dimensional block.
class DeviceWarp {
 public:
  __device__ int rank() const { return static_cast<int>(threadIdx.x) & (warp_lanes - 1); }
  __device__ static constexpr int size() { return warp_lanes; }
  __device__ void sync() const { __syncwarp(); }

  template <class V, class Op>
  __device__ V reduce(V value, Op op) const {
    for (int mask = warp_lanes / 2; mask > 0; mask /= 2) value = op(value, exchange(value, mask));
    return value;
  }

  __device__ int append(bool wanted, int& count) const {
    const unsigned votes = __ballot_sync(all_lanes, wanted);
    const int place = count + __popc(votes & ((1u << rank()) - 1u));
    count += __popc(votes);
    return place;
  }
};

// One warp by itself.
class WarpTeam {
 public:
  __device__ int rank() const { return warp_.rank(); }
  __device__ static constexpr int size() { return warp_lanes; }
  __device__ static constexpr int warps() { return 1; }
  __device__ static constexpr int warp_rank() { return 0; }
  __device__ void sync() const { __syncwarp(); }
  __device__ DeviceWarp& warp() { return warp_; }

  template <class V, class Op>
  __device__ V reduce(V value, Op op) const {
    return warp_.reduce(value, op);
  }

 private:
  DeviceWarp warp_;
};

// A whole block of at most 32 warps.
class BlockTeam {
 public:
  static constexpr int slot_bytes = 32;
  static constexpr int scratch_bytes = warp_lanes * slot_bytes;

  // `scratch` is shared memory, aligned to 16 bytes.
  __device__ explicit BlockTeam(char* scratch) : scratch_(scratch) {}

  __device__ int rank() const { return static_cast<int>(threadIdx.x); }
  __device__ int size() const { return static_cast<int>(blockDim.x); }
  __device__ int warps() const { return size() / warp_lanes; }
  __device__ int warp_rank() const { return rank() / warp_lanes; }
  __device__ void sync() const { __syncthreads(); }
  __device__ DeviceWarp& warp() { return warp_; }

  template <class V, class Op>
  __device__ V reduce(V value, Op op) const {
    static_assert(sizeof(V) <= slot_bytes, "a slot holds the value");
    value = warp_.reduce(value, op);
    if (warp_.rank() == 0) memcpy(scratch_ + warp_rank() * slot_bytes, &value, sizeof(V));
    __syncthreads();
    V total;
    memcpy(&total, scratch_, sizeof(V));
    for (int other = 1; other < warps(); ++other) {
      V theirs;
      memcpy(&theirs, scratch_ + other * slot_bytes, sizeof(V));
      total = op(total, theirs);
    }
    __syncthreads();
    return total;
  }

 private:
  char* scratch_;
  DeviceWarp warp_;
};

// Shared memory that a block may ask for on the current device.
inline Error find_shared_limit(std::int64_t& bytes) {
  int device = 0;
  int limit = 0;
  cudaError_t error = cudaGetDevice(&device);
  if (error == cudaSuccess) {
    error = cudaDeviceGetAttribute(&limit, cudaDevAttrMaxSharedMemoryPerBlockOptin, device);
  }
  bytes = limit;
  return error;
}

}  // namespace rebasin::cuda
