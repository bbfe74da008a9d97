// A descent's backend that is a Python object: rebasin_fast/matching/device/backend.py describes its methods.
#pragma once

#include <pybind11/stl.h>

#include <exception>
#include <unordered_map>
#include <utility>

#include "descent/host_backend.hpp"
#include "descent/python_problem.hpp"
#include "python_thread.hpp"

// With the GIL.
template <class... Arguments>
pybind11::object call(const pybind11::object& function, Arguments&&... given) {
  const pybind11::tuple arguments = pybind11::make_tuple(std::forward<Arguments>(given)...);
  PyObject* result =
      outlive_interpreter([&] { return PyObject_CallObject(function.ptr(), arguments.ptr()); });
  if (result == nullptr) throw pybind11::error_already_set();
  return pybind11::reinterpret_steal<pybind11::object>(result);
}

// To be made and destroyed with the GIL, and called without. An exception of the object ends the descent as
// interrupted; it is kept in raised().
template <class T>
class PythonBackend final : public rebasin::Backend {
 public:
  using Status = rebasin::Status;
  using Occurrences = std::vector<rebasin::Occurrence>;
  using Gather = rebasin::Gather;

  PythonBackend(pybind11::object object, std::size_t tensors, rebasin::Interrupt& interrupt)
      : object_(std::move(object)), tensors_(tensors), interrupt_(interrupt) {}

  Status objective(const Gather& gather, double& value) override {
    return with_python([&] {
      pybind11::list tables;
      for (std::size_t t = 0; t < tensors_; ++t) tables.append(to_indices(gather.b_tables(t)));
      value = method("objective", tables).template cast<double>();
    });
  }

  Status gain(const std::vector<std::size_t>& tensors, const std::vector<rebasin::OffsetTables>& before,
              const Gather& gather, double& value) override {
    return with_python([&] {
      pybind11::list changes;
      for (std::size_t i = 0; i < tensors.size(); ++i)
        changes.append(
            pybind11::make_tuple(tensors[i], to_indices(gather.b_tables(tensors[i])), to_indices(before[i])));
      value = method("gain", changes).template cast<double>();
    });
  }

  Status spread(double& value) override {
    return with_python([&] { value = method("spread").template cast<double>(); });
  }

  Status entries(std::size_t tensor, rebasin::Model model, const std::vector<std::int64_t>& offsets,
                 std::vector<double>& values) override {
    return with_python([&] {
      values = values_of<double>(
          method("entries", tensor, model == rebasin::Model::a ? "a" : "b", to_index(offsets)));
    });
  }

  Status refresh(std::int32_t permutation, std::int64_t units, const std::vector<rebasin::Change>& changes,
                 bool anew, const Gather& gather) override {
    return with_python([&] {
      pybind11::list given;
      for (const rebasin::Change& change : changes) {
        pybind11::object& occurrence = occurrences_[change.occurrence];
        if (!occurrence) occurrence = to_python(*change.occurrence);
        const pybind11::object before =
            change.before == nullptr ? pybind11::object(pybind11::none()) : to_indices(*change.before);
        given.append(
            pybind11::make_tuple(occurrence, to_indices(gather.b_tables(change.occurrence->tensor)), before));
      }
      add_flop(method("refresh", permutation, units, given, anew));
    });
  }

  Status assign(const std::vector<std::int32_t>& permutations, const std::vector<rebasin::Match>& forbidden,
                std::vector<rebasin::Permutation>& found) override {
    return with_python([&] {
      found.clear();
      for (const pybind11::handle columns : method("assign", permutations, forbidden))
        found.push_back(to_vector(columns.cast<Index>()));
    });
  }

  Status rows(std::int32_t permutation, const std::vector<std::int64_t>& rows,
              std::vector<double>& values) override {
    return with_python([&] { values = values_of<double>(method("rows", permutation, to_index(rows))); });
  }

  void release(std::int32_t permutation) override {
    with_python([&] { method("release", permutation); });
  }

  Status form(std::int64_t units, const Occurrences& occurrences, const Gather& gather) override {
    return with_python([&] {
      const pybind11::tuple found = method("similarity", units, placed(occurrences, gather));
      formed_ = values_of<T>(found[0]);
      add_flop(found[1]);
    });
  }

  Status assign_formed(const std::vector<std::vector<double>>& within, rebasin::Permutation& found,
                       double& objective) override {
    return rebasin::assign_with(within, formed_, found, objective, interrupt_);
  }

  Status form_blocks(std::int64_t copies, std::int64_t units, const Occurrences& occurrences,
                     const Gather& gather) override {
    return with_python([&] { add_flop(method("form_blocks", copies, units, placed(occurrences, gather))); });
  }

  Status assign_blocks(const std::vector<rebasin::Match>& blocks, rebasin::BlockAssignments& found) override {
    return with_python([&] {
      const pybind11::tuple both = method("assign_blocks", blocks);
      found.columns = to_vector(both[0].cast<Index>());
      found.objectives = values_of<double>(both[1]);
    });
  }

  double entry_bytes() const override { return sizeof(T); }
  bool batches() const override { return true; }
  const rebasin::ProductCounters& counters() const override { return counters_; }
  const std::exception_ptr& raised() const { return raised_; }

 private:
  template <class Body>
  Status with_python(Body&& body) {
    if (raised_) return Status::interrupted;
    const GilAcquire gil;
    try {
      body();
      return Status::ok;
    } catch (const std::exception&) {
      raised_ = std::current_exception();
      return Status::interrupted;
    }
  }

  template <class... Arguments>
  pybind11::object method(const char* name, Arguments&&... given) {
    return call(object_.attr(name), std::forward<Arguments>(given)...);
  }

  template <class Value>
  static std::vector<Value> values_of(const pybind11::object& object) {
    const auto values = pybind11::array_t<Value, pybind11::array::c_style>::ensure(object);
    if (!values) throw pybind11::error_already_set();
    return {values.data(), values.data() + values.size()};
  }

  static pybind11::tuple to_python(const rebasin::Occurrence& occurrence) {
    return pybind11::make_tuple(occurrence.tensor, occurrence.axis, to_index(occurrence.a_positions),
                                to_index(occurrence.b_positions));
  }

  static pybind11::list placed(const Occurrences& occurrences, const Gather& gather) {
    pybind11::list given;
    for (const rebasin::Occurrence& each : occurrences)
      given.append(
          pybind11::make_tuple(to_python(each), to_indices(gather.b_tables(each.tensor)), pybind11::none()));
    return given;
  }

  void add_flop(const pybind11::object& flop) { counters_.flop += flop.cast<double>(); }

  pybind11::object object_;
  std::size_t tensors_;
  rebasin::Interrupt& interrupt_;
  std::vector<T> formed_;
  std::unordered_map<const rebasin::Occurrence*, pybind11::object> occurrences_;  // of kept similarities
  rebasin::ProductCounters counters_;
  std::exception_ptr raised_;
};
