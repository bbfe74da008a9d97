// The devices of the machine, and the names of CUDA's errors.
#include <cuda_runtime.h>

#include "rebasin/cuda.hpp"

namespace rebasin::cuda {

int count_devices() {
  int count = 0;
  if (cudaGetDeviceCount(&count) != cudaSuccess) {
    cudaGetLastError();  // cleared, lest the next launch report it
    return 0;
  }
  return count;
}

Error describe_device(int device, DeviceInfo& info) {
  cudaDeviceProp properties;
  const cudaError_t error = cudaGetDeviceProperties(&properties, device);
  if (error != cudaSuccess) return error;
  info.name = properties.name;
  info.compute_capability = 10 * properties.major + properties.minor;
  info.multiprocessors = properties.multiProcessorCount;
  info.shared_bytes_per_block = static_cast<std::int64_t>(properties.sharedMemPerBlockOptin);
  info.memory_bytes = static_cast<std::int64_t>(properties.totalGlobalMem);
  return cudaSuccess;
}

Error find_device(const void* pointer, int& device) {
  cudaPointerAttributes attributes;
  const cudaError_t error = cudaPointerGetAttributes(&attributes, pointer);
  if (error != cudaSuccess) {
    cudaGetLastError();
    return error;
  }
  const bool on_device = attributes.type == cudaMemoryTypeDevice || attributes.type == cudaMemoryTypeManaged;
  device = on_device ? attributes.device : -1;
  return cudaSuccess;
}

Error current_device(int& device) {
  return cudaGetDevice(&device);
}

Error select_device(int device) {
  return cudaSetDevice(device);
}

std::string describe_error(Error error) {
  const auto code = static_cast<cudaError_t>(error);
  return std::string(cudaGetErrorName(code)) + ": " + cudaGetErrorString(code);
}

bool is_out_of_memory(Error error) {
  return error == cudaErrorMemoryAllocation;
}

Error fetch(const void* source, void* out, std::int64_t bytes, Stream stream) {
  auto* queue = static_cast<cudaStream_t>(stream);
  const cudaError_t error =
      cudaMemcpyAsync(out, source, static_cast<std::size_t>(bytes), cudaMemcpyDeviceToHost, queue);
  return error == cudaSuccess ? cudaStreamSynchronize(queue) : error;
}

int runtime_version() {
  int version = 0;
  return cudaRuntimeGetVersion(&version) == cudaSuccess ? version : 0;
}

int driver_version() {
  int version = 0;
  return cudaDriverGetVersion(&version) == cudaSuccess ? version : 0;
}

}  // namespace rebasin::cuda
