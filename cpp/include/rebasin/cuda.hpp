// Kernels for NVIDIA GPUs, by raw pointers. This header knows neither CUDA nor Python.
//
// All pointers are to memory of one device unless said otherwise; strides count elements; indices are 64-bit.
// Every launcher returns once its kernels are queued on `stream` (a cudaStream_t, null for the default
// stream) of the current device; none but fetch synchronises, none allocates or frees, and inputs, outputs
// and workspaces must live until the stream has passed. Launchers are thread-safe. They return a cudaError_t,
// 0 for success.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace rebasin::cuda {

using Stream = void*;
using Error = int;

// How a problem of a batch ended.
enum class ProblemStatus : std::int32_t {
  optimal = 0,
  invalid = 1,     // NaN, or the infinity that no assignment may use
  infeasible = 2,  // no assignment avoids the forbidden entries
  unsolved = 3,    // costs of too many magnitudes for the kernel's exact arithmetic: for the host's solver
};

// `count` assignment problems of one shape. Outputs are contiguous, one problem after the other.
struct AssignmentBatch {
  const void* costs = nullptr;
  bool float64 = false;  // else float32
  std::int64_t count = 0;
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  std::int64_t problem_stride = 0;
  std::int64_t row_stride = 0;
  std::int64_t column_stride = 1;
  bool maximize = false;
  const double* start_row_duals = nullptr;     // (count, rows): of earlier, similar problems; or null
  const double* start_column_duals = nullptr;  // (count, columns); null exactly when the rows' are
  std::int64_t* column_of_row = nullptr;       // (count, rows): -1 where rows > columns leave it unassigned
  double* row_duals = nullptr;                 // (count, rows): u + v <= cost; maximising >=
  double* column_duals = nullptr;              // (count, columns)
  double* objectives = nullptr;                // (count)
  double* gaps = nullptr;                      // (count): checked bound on the distance from the optimum
  std::int32_t* statuses = nullptr;            // (count) ProblemStatus; others than optimal: NaN and -1
};

// The longest side of a problem of a batch.
inline constexpr std::int64_t most_batch_columns = 1 << 16;

// Solves each problem with a warp (both sides up to 64) or a block of its own: first duals from the column
// minima of blocks of rows, candidate lists, one epsilon auction and row reduction on them, shortest
// augmenting paths, and a certificate read from the whole matrix. Exact: costs are rounded to a grid of
// 2^-46 (float64: 2^-49) of the largest, where all arithmetic is exact, and a gap above 1e-12 of the sum of
// the matched magnitudes makes the problem `unsolved`. Deterministic; the same for any number of threads but
// for one choice of first duals, which compares rounded sums (survey.hpp). Rectangles ignore the starts.
// Reads each matrix three times, plus a row a refilled list or dense step.
//
// `workspace` holds at least assignment_workspace_bytes(batch) on the current device (0 where all state fits
// into shared memory).
Error solve_assignments(const AssignmentBatch& batch, void* workspace, std::int64_t workspace_bytes,
                        Stream stream);
Error assignment_workspace_bytes(const AssignmentBatch& batch, std::int64_t& bytes);

// One large matrix, with column duals.
struct PricedMatrix {
  const void* costs = nullptr;
  bool float64 = false;
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  std::int64_t row_stride = 0;
  std::int64_t column_stride = 1;
  bool maximize = false;
  const double* duals = nullptr;  // (columns): v
};

// What the host's solver needs of one large matrix: per row its smallest reduced costs and a bound on the
// others, per column its minimum.
struct CandidateRequest : PricedMatrix {
  void* list_costs = nullptr;            // (rows, 24) of the matrix's type: as minimised, ascending by
                                         // cost - v, padded with +inf
  std::int32_t* list_columns = nullptr;  // (rows, 24), padded with 0
  double* bounds = nullptr;              // (rows): least rounded cost - v of the entries not listed
  double* column_minima = nullptr;       // (columns) or null: of the cost as minimised
  std::int32_t* invalid = nullptr;       // (1), set to 1 if any entry is NaN or -inf as minimised
};

// A warp a row; one read of the matrix from memory (rows come again from the cache), the column minima
// included where columns x 8 bytes fit into shared memory, else in a second read.
Error list_candidates(const CandidateRequest& request, Stream stream);

// minima[block, j] = the least finite or infinite cost of column j in the block's share of the rows, NaN
// passed over. (blocks, columns) float64. One read.
Error find_column_minima(const CandidateRequest& request, std::int64_t blocks, double* minima, Stream stream);

// Row by row: dual[i] at or below every cost - v in real arithmetic, slack[i] at or above that of the matched
// entry less dual[i], cost[i] the matched entry. A warp a row, one read. All slacks zero: optimal (square).
struct CertificateRequest : PricedMatrix {
  const std::int64_t* column_of_row = nullptr;  // (rows)
  double* row_duals = nullptr;                  // (rows)
  double* slacks = nullptr;                     // (rows)
  double* matched_costs = nullptr;              // (rows), as minimised
};
Error certify(const CertificateRequest& request, Stream stream);

// Copies `bytes` from the device to the host and waits for the stream: the one entry that synchronises.
Error fetch(const void* source, void* out, std::int64_t bytes, Stream stream);

// Of the machine; 0 devices without a driver, never an error.
int count_devices();

struct DeviceInfo {
  std::string name;
  int compute_capability = 0;  // 90 for 9.0
  int multiprocessors = 0;
  std::int64_t shared_bytes_per_block = 0;
  std::int64_t memory_bytes = 0;
};
Error describe_device(int device, DeviceInfo& info);

// The device that a pointer's memory lies on; -1 for memory of the host or none known to CUDA.
Error find_device(const void* pointer, int& device);
Error current_device(int& device);
Error select_device(int device);
std::string describe_error(Error error);
// Out of device memory, which a smaller batch or torch.cuda.empty_cache() may cure.
bool is_out_of_memory(Error error);

// Versions as CUDA counts them, 13000 for 13.0; the driver's is 0 where there is none.
int runtime_version();
int driver_version();

}  // namespace rebasin::cuda
