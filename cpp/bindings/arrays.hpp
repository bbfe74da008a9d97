// Results as NumPy arrays.
#pragma once

#include <pybind11/numpy.h>

#include <algorithm>
#include <initializer_list>
#include <vector>

// An uninitialised array of NumPy's type number.
pybind11::object new_array(int type_number, std::initializer_list<pybind11::ssize_t> shape);

// The same, with a pointer to its numbers. As pybind11::array_t, but without its vectors of shapes and
// strides, which cost a tiny problem a fifth of its time.
template <class T>
pybind11::object new_array(std::initializer_list<pybind11::ssize_t> shape, T*& data) {
  static const int type_number = pybind11::dtype::of<T>().num();
  auto array = pybind11::reinterpret_steal<pybind11::array>(new_array(type_number, shape).release());
  data = static_cast<T*>(array.mutable_data());
  return array;
}

template <class T>
pybind11::object to_array(const std::vector<T>& values) {
  T* data = nullptr;
  pybind11::object array = new_array<T>({static_cast<pybind11::ssize_t>(values.size())}, data);
  std::copy(values.begin(), values.end(), data);
  return array;
}
