// Batched assignment: kernels and launcher.
#include <cuda_runtime.h>

#include "cuda/batched/batch.hpp"
#include "cuda/device_team.cuh"

namespace rebasin::cuda {
namespace {

constexpr std::int64_t warp_columns = 64;  // problems up to this size get a warp each
constexpr int warps_per_block = 4;         // of such problems
constexpr int most_threads = 512;
constexpr std::int64_t most_resident_blocks = 1024;

// The place and the size of the state and the lists of each team.
struct Plan {
  int threads = 0;
  int teams_per_block = 1;
  bool state_shared = false;
  bool lists_shared = false;
  std::int64_t state_bytes = 0;  // of one team
  std::int64_t list_bytes = 0;
  std::int64_t blocks = 0;
  std::int64_t scratch_bytes = 0;  // of a block

  std::int64_t shared_bytes() const {
    const std::int64_t per_team = (state_shared ? state_bytes : 0) + (lists_shared ? list_bytes : 0);
    return scratch_bytes + per_team * teams_per_block;
  }
  REBASIN_HD std::int64_t workspace_per_block() const {
    const std::int64_t per_team = (state_shared ? 0 : state_bytes) + (lists_shared ? 0 : list_bytes);
    return per_team * teams_per_block;
  }
};

template <class T>
Plan make_plan(const AssignmentBatch& batch, std::int64_t shared_limit) {
  const std::int64_t rows = transposed_rows(batch);
  const std::int64_t columns = transposed_columns(batch);
  Plan plan;
  const bool small = columns <= warp_columns;
  // One warp does most of the work: more blocks on a multiprocessor are worth more than more threads in each.
  const std::int64_t threads =
      smaller<std::int64_t>(most_threads, (columns / 2 + warp_lanes - 1) / warp_lanes * warp_lanes);
  plan.threads = small ? warps_per_block * warp_lanes : static_cast<int>(threads);
  plan.teams_per_block = small ? warps_per_block : 1;
  plan.scratch_bytes = small ? 0 : BlockTeam::scratch_bytes;
  ProblemMemory<T> sizes;
  plan.state_bytes = place_state(sizes, rows, columns, small ? 1 : plan.threads / warp_lanes, nullptr);
  plan.list_bytes = place_lists(sizes, rows, nullptr);
  plan.state_shared = true;
  plan.lists_shared = true;
  if (plan.shared_bytes() > shared_limit) plan.lists_shared = false;
  if (plan.shared_bytes() > shared_limit) plan.state_shared = false;
  const std::int64_t wanted = (batch.count + plan.teams_per_block - 1) / plan.teams_per_block;
  plan.blocks =
      plan.workspace_per_block() > 0 && wanted > most_resident_blocks ? most_resident_blocks : wanted;
  return plan;
}

template <class T>
__device__ ProblemMemory<T> place(const Plan& plan, const AssignmentBatch& batch, int team, int warps,
                                  char* shared, char* workspace) {
  char* in_shared = shared + plan.scratch_bytes;
  char* in_global = workspace + static_cast<std::int64_t>(blockIdx.x) * plan.workspace_per_block();
  ProblemMemory<T> state;
  place_state(state, transposed_rows(batch), transposed_columns(batch), warps,
              (plan.state_shared ? in_shared : in_global) + team * plan.state_bytes);
  (plan.state_shared ? in_shared : in_global) += plan.teams_per_block * plan.state_bytes;
  place_lists(state, transposed_rows(batch),
              (plan.lists_shared ? in_shared : in_global) + team * plan.list_bytes);
  return state;
}

template <class T>
__global__ void __launch_bounds__(most_threads)
    solve_by_blocks(const AssignmentBatch batch, const Plan plan, char* workspace) {
  extern __shared__ __align__(16) char shared[];
  BlockTeam team(shared);
  ProblemMemory<T> state = place<T>(plan, batch, 0, team.warps(), shared, workspace);
  for (std::int64_t problem = blockIdx.x; problem < batch.count; problem += gridDim.x) {
    solve_one(team, batch, problem, state);
    team.sync();
  }
}

template <class T>
__global__ void __launch_bounds__(warps_per_block* warp_lanes)
    solve_by_warps(const AssignmentBatch batch, const Plan plan, char* workspace) {
  extern __shared__ __align__(16) char shared[];
  WarpTeam team;
  const int which = static_cast<int>(threadIdx.x) / warp_lanes;
  ProblemMemory<T> state = place<T>(plan, batch, which, 1, shared, workspace);
  const std::int64_t step = static_cast<std::int64_t>(gridDim.x) * warps_per_block;
  for (std::int64_t problem = std::int64_t{blockIdx.x} * warps_per_block + which; problem < batch.count;
       problem += step) {
    solve_one(team, batch, problem, state);
    team.sync();
  }
}

template <class T>
Error launch(const AssignmentBatch& batch, char* workspace, std::int64_t workspace_bytes,
             std::int64_t shared_limit, cudaStream_t stream) {
  const Plan plan = make_plan<T>(batch, shared_limit);
  if (plan.workspace_per_block() * plan.blocks > workspace_bytes) return cudaErrorInvalidValue;
  auto* kernel = plan.teams_per_block > 1 ? solve_by_warps<T> : solve_by_blocks<T>;
  const auto shared = static_cast<int>(plan.shared_bytes());
  const cudaError_t error = cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, shared);
  if (error != cudaSuccess) return error;
  kernel<<<static_cast<unsigned>(plan.blocks), static_cast<unsigned>(plan.threads),
           static_cast<std::size_t>(shared), stream>>>(batch, plan, workspace);
  return cudaGetLastError();
}

}  // namespace

Error assignment_workspace_bytes(const AssignmentBatch& batch, std::int64_t& bytes) {
  std::int64_t shared_limit = 0;
  const Error error = find_shared_limit(shared_limit);
  if (error != cudaSuccess) return error;
  const Plan plan =
      batch.float64 ? make_plan<double>(batch, shared_limit) : make_plan<float>(batch, shared_limit);
  bytes = plan.workspace_per_block() * plan.blocks;
  return cudaSuccess;
}

Error solve_assignments(const AssignmentBatch& batch, void* workspace, std::int64_t workspace_bytes,
                        Stream stream) {
  if (batch.count == 0 || batch.rows == 0 || batch.columns == 0) return cudaSuccess;
  if (transposed_columns(batch) > most_batch_columns) return cudaErrorInvalidValue;
  std::int64_t shared_limit = 0;
  const Error error = find_shared_limit(shared_limit);
  if (error != cudaSuccess) return error;
  auto* memory = static_cast<char*>(workspace);
  auto* queue = static_cast<cudaStream_t>(stream);
  return batch.float64 ? launch<double>(batch, memory, workspace_bytes, shared_limit, queue)
                       : launch<float>(batch, memory, workspace_bytes, shared_limit, queue);
}

}  // namespace rebasin::cuda
