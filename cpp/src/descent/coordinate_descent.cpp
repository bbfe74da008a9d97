#include <new>

#include "descent/host_backend.hpp"
#include "descent/policy/planned.hpp"
#include "descent/policy/replay.hpp"
#include "descent/steps/engine.hpp"
#include "rebasin/descent.hpp"

namespace rebasin {

Status coordinate_descent(const Problem& problem, Backend& backend, const DescentOptions& options,
                          DescentResult& result) {
  try {
    Engine engine(problem, backend, options, result);
    Status status = engine.measure();
    if (status != Status::ok) return status;
    result.first_objective = result.objective;
    status = options.next_order ? replay_orders(engine, options, result)
                                : planned_descent(engine, options, result);
    engine.take_statistics();
    return status;
  } catch (const std::bad_alloc&) {
    return Status::out_of_memory;
  }
}

template <class T>
Status coordinate_descent(const Problem& problem, Gemm<T> gemm, const DescentOptions& options,
                          DescentResult& result, Interrupt& interrupt) {
  try {
    HostBackend<T> backend(problem, gemm, interrupt);
    return coordinate_descent(problem, backend, options, result);
  } catch (const std::bad_alloc&) {
    return Status::out_of_memory;
  }
}

template Status coordinate_descent<float>(const Problem&, Gemm<float>, const DescentOptions&, DescentResult&,
                                          Interrupt&);
template Status coordinate_descent<double>(const Problem&, Gemm<double>, const DescentOptions&,
                                           DescentResult&, Interrupt&);

}  // namespace rebasin
