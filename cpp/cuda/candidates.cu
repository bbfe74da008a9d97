// Candidate lists and column minima of one large matrix: kernels and launchers.
#include <cuda_runtime.h>

#include "cuda/candidate_row.hpp"
#include "cuda/device_team.cuh"
#include "cuda/ordered_bits.hpp"
#include "rebasin/cuda.hpp"

namespace rebasin::cuda {
namespace {

constexpr int threads = 256;
constexpr int warps = threads / warp_lanes;
constexpr std::int64_t rows_per_block = 64;  // enough that a tile of minima is rarely lowered

// Notes invalid entries, and lowers the block's minima if there is a tile for them.
struct EntryVisitor {
  Bits* tile;
  bool* invalid;

  __device__ void operator()(std::int64_t column, double cost) const {
    if (!(cost > -infinity)) {
      *invalid = true;
      return;
    }
    if (tile == nullptr) return;
    const Bits ordered = to_ordered(cost);
    if (ordered < tile[column]) atomicMin(&tile[column], ordered);
  }
};

template <class T>
__global__ void __launch_bounds__(threads)
    list_rows(const CostMatrix<T> costs, const CandidateRequest request, bool with_minima) {
  extern __shared__ __align__(16) char shared[];
  __shared__ ListScratch<T> scratch[warps];
  auto* tile = with_minima ? reinterpret_cast<Bits*>(shared) : nullptr;
  for (std::int64_t j = threadIdx.x; with_minima && j < costs.columns; j += threads) {
    tile[j] = to_ordered(infinity);
  }
  __syncthreads();
  DeviceWarp warp;
  const int which = static_cast<int>(threadIdx.x) / warp_lanes;
  bool invalid = false;
  const std::int64_t first = static_cast<std::int64_t>(blockIdx.x) * rows_per_block;
  for (std::int64_t row = first + which; row < first + rows_per_block && row < costs.rows; row += warps) {
    const double bound =
        list_sorted(warp, costs, request.duals, row, scratch[which],
                    static_cast<T*>(request.list_costs) + row * list_capacity,
                    request.list_columns + row * list_capacity, EntryVisitor{tile, &invalid});
    if (warp.rank() == 0) request.bounds[row] = bound;
  }
  if (invalid) *request.invalid = 1;
  __syncthreads();
  auto* minima = reinterpret_cast<Bits*>(request.column_minima);
  for (std::int64_t j = threadIdx.x; with_minima && j < costs.columns; j += threads) {
    atomicMin(&minima[j], tile[j]);
  }
}

__global__ void fill_minima(Bits* minima, std::int64_t count) {
  const std::int64_t j = static_cast<std::int64_t>(blockIdx.x) * threads + threadIdx.x;
  if (j < count) minima[j] = to_ordered(infinity);
}

__global__ void decode_minima(Bits* minima, std::int64_t count) {
  const std::int64_t j = static_cast<std::int64_t>(blockIdx.x) * threads + threadIdx.x;
  if (j < count) reinterpret_cast<double*>(minima)[j] = from_ordered(minima[j]);
}

// A column a thread, a share of the rows a block.
template <class T>
__global__ void lower_columns(const CostMatrix<T> costs, std::int64_t blocks, double* minima) {
  const std::int64_t j = static_cast<std::int64_t>(blockIdx.x) * threads + threadIdx.x;
  const std::int64_t block = blockIdx.y;
  if (j >= costs.columns) return;
  double least = infinity;
  const std::int64_t last = costs.rows * (block + 1) / blocks;
  for (std::int64_t i = costs.rows * block / blocks; i < last; ++i) least = smaller(least, costs.at(i, j));
  minima[block * costs.columns + j] = least;
}

unsigned blocks_of(std::int64_t items, std::int64_t per_block) {
  return static_cast<unsigned>((items + per_block - 1) / per_block);
}

template <class T>
Error launch_minima(const CandidateRequest& request, std::int64_t blocks, double* minima,
                    cudaStream_t stream) {
  const dim3 grid(blocks_of(request.columns, threads), static_cast<unsigned>(blocks));
  lower_columns<T><<<grid, threads, 0, stream>>>(cost_matrix<T>(request), blocks, minima);
  return cudaGetLastError();
}

template <class T>
Error launch_lists(const CandidateRequest& request, cudaStream_t stream) {
  std::int64_t limit = 0;
  Error error = find_shared_limit(limit);
  if (error != cudaSuccess) return error;
  const std::int64_t tile_bytes = request.columns * static_cast<std::int64_t>(sizeof(Bits));
  const auto static_bytes = static_cast<std::int64_t>(sizeof(ListScratch<T>) * warps);
  const bool wants_minima = request.column_minima != nullptr;
  const bool fused = wants_minima && tile_bytes + static_bytes <= limit;
  error = cudaMemsetAsync(request.invalid, 0, sizeof(std::int32_t), stream);
  if (error != cudaSuccess) return error;
  auto* minima = reinterpret_cast<Bits*>(request.column_minima);
  const unsigned column_blocks = blocks_of(request.columns, threads);
  const int dynamic = fused ? static_cast<int>(tile_bytes) : 0;
  error = cudaFuncSetAttribute(list_rows<T>, cudaFuncAttributeMaxDynamicSharedMemorySize, dynamic);
  if (error != cudaSuccess) return error;
  if (fused) fill_minima<<<column_blocks, threads, 0, stream>>>(minima, request.columns);
  list_rows<T>
      <<<blocks_of(request.rows, rows_per_block), threads, static_cast<std::size_t>(dynamic), stream>>>(
          cost_matrix<T>(request), request, fused);
  if (fused) decode_minima<<<column_blocks, threads, 0, stream>>>(minima, request.columns);
  if (wants_minima && !fused) return launch_minima<T>(request, 1, request.column_minima, stream);
  return cudaGetLastError();
}

}  // namespace

Error list_candidates(const CandidateRequest& request, Stream stream) {
  if (request.rows == 0 || request.columns == 0) return cudaSuccess;
  auto* queue = static_cast<cudaStream_t>(stream);
  return request.float64 ? launch_lists<double>(request, queue) : launch_lists<float>(request, queue);
}

Error find_column_minima(const CandidateRequest& request, std::int64_t blocks, double* minima,
                         Stream stream) {
  if (request.rows == 0 || request.columns == 0) return cudaSuccess;
  auto* queue = static_cast<cudaStream_t>(stream);
  return request.float64 ? launch_minima<double>(request, blocks, minima, queue)
                         : launch_minima<float>(request, blocks, minima, queue);
}

}  // namespace rebasin::cuda
