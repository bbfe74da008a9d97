// Augmenting row reduction (Jonker & Volgenant 1987, step 3), capped.
#pragma once

#include "assignment/cost_rows.hpp"
#include "assignment/matching_state.hpp"

namespace rebasin::assignment {

// Each free row takes its best column and lowers that column's dual to its second best, evicting; ties are
// postponed. A few rounds, and at most `scans` scanned rows: uncapped, a price war of tiny decrements can
// cost more than all of the rest, or never end once a decrement is below the dual's last bit. What stays free
// is left for the shortest augmenting paths. Only columns that get matched have their dual lowered.
template <class T>
Status reduce_rows(const CostRows<T>& costs, MatchingState& state, std::int64_t scans, Interrupt& interrupt);

}  // namespace rebasin::assignment
