#include <algorithm>
#include <array>

#include "cuda_bindings.hpp"

namespace py = pybind11;

namespace {

using Pointer = std::uintptr_t;
using rebasin::cuda::AssignmentBatch;
using rebasin::cuda::CandidateRequest;
using rebasin::cuda::CertificateRequest;

template <class T>
T* at(Pointer pointer) {
  return reinterpret_cast<T*>(pointer);
}

AssignmentBatch batch_of(bool float64, std::array<std::int64_t, 3> shape,
                         std::array<std::int64_t, 3> strides) {
  AssignmentBatch batch;
  batch.float64 = float64;
  batch.count = shape[0];
  batch.rows = shape[1];
  batch.columns = shape[2];
  batch.problem_stride = strides[0];
  batch.row_stride = strides[1];
  batch.column_stride = strides[2];
  return batch;
}

std::int64_t assignment_workspace(bool float64, std::array<std::int64_t, 3> shape,
                                  std::array<std::int64_t, 3> strides, int device) {
  const DeviceGuard guard(device);
  std::int64_t bytes = 0;
  raise_unless_ok(rebasin::cuda::assignment_workspace_bytes(batch_of(float64, shape, strides), bytes));
  return bytes;
}

// Outputs: (columns, row_duals, column_duals, objectives, gaps, statuses). Starts: (0, 0) for none.
void solve_assignments(Pointer costs, bool float64, std::array<std::int64_t, 3> shape,
                       std::array<std::int64_t, 3> strides, bool maximize, std::array<Pointer, 2> starts,
                       std::array<Pointer, 6> outputs, Pointer workspace, std::int64_t workspace_bytes,
                       int device, Pointer stream) {
  AssignmentBatch batch = batch_of(float64, shape, strides);
  batch.costs = at<const void>(costs);
  batch.maximize = maximize;
  batch.start_row_duals = at<const double>(starts[0]);
  batch.start_column_duals = at<const double>(starts[1]);
  batch.column_of_row = at<std::int64_t>(outputs[0]);
  batch.row_duals = at<double>(outputs[1]);
  batch.column_duals = at<double>(outputs[2]);
  batch.objectives = at<double>(outputs[3]);
  batch.gaps = at<double>(outputs[4]);
  batch.statuses = at<std::int32_t>(outputs[5]);
  const DeviceGuard guard(device);
  raise_unless_ok(
      rebasin::cuda::solve_assignments(batch, at<void>(workspace), workspace_bytes, at<void>(stream)));
}

template <class Request>
Request matrix_of(Pointer costs, bool float64, std::array<std::int64_t, 2> shape,
                  std::array<std::int64_t, 2> strides, bool maximize, Pointer duals) {
  Request request;
  request.costs = at<const void>(costs);
  request.float64 = float64;
  request.rows = shape[0];
  request.columns = shape[1];
  request.row_stride = strides[0];
  request.column_stride = strides[1];
  request.maximize = maximize;
  request.duals = at<const double>(duals);
  return request;
}

// Outputs: (list_costs, list_columns, bounds, column_minima or 0, invalid).
void list_candidates(Pointer costs, bool float64, std::array<std::int64_t, 2> shape,
                     std::array<std::int64_t, 2> strides, bool maximize, Pointer duals,
                     std::array<Pointer, 5> outputs, int device, Pointer stream) {
  auto request = matrix_of<CandidateRequest>(costs, float64, shape, strides, maximize, duals);
  request.list_costs = at<void>(outputs[0]);
  request.list_columns = at<std::int32_t>(outputs[1]);
  request.bounds = at<double>(outputs[2]);
  request.column_minima = at<double>(outputs[3]);
  request.invalid = at<std::int32_t>(outputs[4]);
  const DeviceGuard guard(device);
  raise_unless_ok(rebasin::cuda::list_candidates(request, at<void>(stream)));
}

void column_minima(Pointer costs, bool float64, std::array<std::int64_t, 2> shape,
                   std::array<std::int64_t, 2> strides, bool maximize, std::int64_t blocks, Pointer minima,
                   int device, Pointer stream) {
  const auto request = matrix_of<CandidateRequest>(costs, float64, shape, strides, maximize, 0);
  const DeviceGuard guard(device);
  raise_unless_ok(rebasin::cuda::find_column_minima(request, blocks, at<double>(minima), at<void>(stream)));
}

// Outputs: (row_duals, slacks, matched_costs).
void certify(Pointer costs, bool float64, std::array<std::int64_t, 2> shape,
             std::array<std::int64_t, 2> strides, bool maximize, Pointer duals, Pointer columns,
             std::array<Pointer, 3> outputs, int device, Pointer stream) {
  auto request = matrix_of<CertificateRequest>(costs, float64, shape, strides, maximize, duals);
  request.column_of_row = at<const std::int64_t>(columns);
  request.row_duals = at<double>(outputs[0]);
  request.slacks = at<double>(outputs[1]);
  request.matched_costs = at<double>(outputs[2]);
  const DeviceGuard guard(device);
  raise_unless_ok(rebasin::cuda::certify(request, at<void>(stream)));
}

}  // namespace

void register_kernels(py::module_& m) {
  m.def("assignment_workspace", &assignment_workspace, "Bytes that solve_assignments wants.");
  m.def("solve_assignments", &solve_assignments, "See rebasin/cuda.hpp.");
  m.def("list_candidates", &list_candidates, "See rebasin/cuda.hpp.");
  m.def("column_minima", &column_minima, "See rebasin/cuda.hpp.");
  m.def("certify", &certify, "See rebasin/cuda.hpp.");
}
