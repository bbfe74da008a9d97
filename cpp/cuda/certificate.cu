// The certificate of one large matrix: kernel and launcher.
#include <cuda_runtime.h>

#include "cuda/certificate_row.hpp"
#include "cuda/device_team.cuh"
#include "rebasin/cuda.hpp"

namespace rebasin::cuda {
namespace {

constexpr int threads = 256;
constexpr int warps = threads / warp_lanes;

template <class T>
__global__ void __launch_bounds__(threads)
    certify_rows(const CostMatrix<T> costs, const CertificateRequest request) {
  DeviceWarp warp;
  const std::int64_t row = static_cast<std::int64_t>(blockIdx.x) * warps + threadIdx.x / warp_lanes;
  if (row >= costs.rows) return;
  const RowProof proof = certify_row(warp, costs, request.duals, row, request.column_of_row[row]);
  if (warp.rank() != 0) return;
  request.row_duals[row] = proof.dual;
  request.slacks[row] = proof.slack;
  request.matched_costs[row] = proof.cost;
}

template <class T>
Error launch(const CertificateRequest& request, cudaStream_t stream) {
  const auto blocks = static_cast<unsigned>((request.rows + warps - 1) / warps);
  certify_rows<T><<<blocks, threads, 0, stream>>>(cost_matrix<T>(request), request);
  return cudaGetLastError();
}

}  // namespace

Error certify(const CertificateRequest& request, Stream stream) {
  if (request.rows == 0 || request.columns == 0) return cudaSuccess;
  auto* queue = static_cast<cudaStream_t>(stream);
  return request.float64 ? launch<double>(request, queue) : launch<float>(request, queue);
}

}  // namespace rebasin::cuda
