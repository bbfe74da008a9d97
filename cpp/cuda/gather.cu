// Permuting gathers: kernels and launchers.
#include <cuda_runtime.h>

#include "cuda/gather_entry.hpp"

namespace rebasin::cuda {
namespace {

constexpr int threads = 256;
constexpr std::int64_t most_blocks = std::int64_t{1} << 20;

template <class Word>
__global__ void __launch_bounds__(threads) copy_entries(const GatherPlan plan, std::int64_t entries) {
  const auto* source = static_cast<const Word*>(plan.source);
  auto* out = static_cast<Word*>(plan.out);
  const std::int64_t step = static_cast<std::int64_t>(gridDim.x) * threads;
  for (std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * threads + threadIdx.x; i < entries;
       i += step) {
    out[i] = source[offsets_of(plan, i).now];
  }
}

template <class Source, class Out>
__global__ void __launch_bounds__(threads) subtract_entries(const GatherPlan plan, std::int64_t entries) {
  auto* out = static_cast<Out*>(plan.out);
  const std::int64_t step = static_cast<std::int64_t>(gridDim.x) * threads;
  for (std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * threads + threadIdx.x; i < entries;
       i += step) {
    out[i] = difference<Source>(plan, i);
  }
}

using Kernel = void (*)(GatherPlan, std::int64_t);

Error launch(Kernel kernel, const GatherPlan& plan, Stream stream) {
  if (kernel == nullptr || plan.axes < 0 || plan.axes > most_axes) return cudaErrorInvalidValue;
  const std::int64_t entries = entries_of(plan);
  if (entries == 0) return cudaSuccess;
  const std::int64_t wanted = (entries + threads - 1) / threads;
  const auto blocks = static_cast<unsigned>(wanted < most_blocks ? wanted : most_blocks);
  kernel<<<blocks, threads, 0, static_cast<cudaStream_t>(stream)>>>(plan, entries);
  return cudaGetLastError();
}

}  // namespace

Error gather(const GatherPlan& plan, int entry_bytes, Stream stream) {
  Kernel kernel = nullptr;
  if (entry_bytes == 1) kernel = copy_entries<std::uint8_t>;
  if (entry_bytes == 2) kernel = copy_entries<std::uint16_t>;
  if (entry_bytes == 4) kernel = copy_entries<std::uint32_t>;
  if (entry_bytes == 8) kernel = copy_entries<std::uint64_t>;
  return launch(kernel, plan, stream);
}

Error gather_differences(const GatherPlan& plan, int dtype, Stream stream) {
  Kernel kernel = nullptr;
  if (dtype == 0) kernel = subtract_entries<float, float>;
  if (dtype == 1) kernel = subtract_entries<double, double>;
  if (dtype == 2) kernel = subtract_entries<HalfBits, float>;
  if (dtype == 3) kernel = subtract_entries<BrainBits, float>;
  return launch(kernel, plan, stream);
}

}  // namespace rebasin::cuda
