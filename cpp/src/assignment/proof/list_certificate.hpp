// Proof of optimality from the candidate lists.
#pragma once

#include "assignment/lists/list_state.hpp"
#include "assignment/proof/certificate.hpp"

namespace rebasin::assignment {

// As certify(), but a row's list and bound stand for its entries: O(rows) where every matched entry is at or
// below its row's bound, one row read for each row where it is not. Fills pair_cost with the matched entries.
template <class T>
Attempt certify_lists(ListState<T>& state, Certificate& proof, std::vector<double>& pair_cost,
                      Interrupt& interrupt);

}  // namespace rebasin::assignment
