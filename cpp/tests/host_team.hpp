// Teams of threads on the host with the interface of those of a kernel.
//
// A Team solves one problem together. It consists of warps, and a Warp of lanes:
//   rank(), size()        which of how many
//   sync()                a barrier; writes before it are visible after it
//   reduce(value, op)     op over the values of all; op is associative and commutative
//   append(wanted, count) (Warp) the place of this lane's item after `count` earlier ones, in order of lanes
//   warp(), warp_rank(), warps()   (Team)
// Every call is collective. Results depend on the number of lanes or warps in one place alone: the choice
// between two kinds of first duals in survey.hpp compares sums of doubles, which are rounded in their order.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstring>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace rebasin::cuda {

struct SerialWarp {
  static int rank() { return 0; }
  static int size() { return 1; }
  static void sync() {}

  template <class V, class Op>
  static V reduce(V value, Op) {
    return value;
  }

  static int append(bool wanted, int& count) {
    const int place = count;
    count += wanted ? 1 : 0;
    return place;
  }
};

// A team of one thread.
struct SerialTeam {
  static int rank() { return 0; }
  static int size() { return 1; }
  static int warps() { return 1; }
  static int warp_rank() { return 0; }
  static void sync() {}
  SerialWarp& warp() { return only_; }

  template <class V, class Op>
  static V reduce(V value, Op) {
    return value;
  }

 private:
  SerialWarp only_;
};

// Where `count` threads wait for one another, and one slot for each.
class MeetingPoint {
 public:
  static constexpr std::size_t slot_bytes = 64;

  explicit MeetingPoint(int count) : count_(count), slots_(static_cast<std::size_t>(count) * slot_bytes) {}

  int size() const { return count_; }

  void wait() {
    std::unique_lock lock(mutex_);
    const long generation = generation_;
    if (++arrived_ == count_) {
      arrived_ = 0;
      ++generation_;
      everyone_.notify_all();
      return;
    }
    everyone_.wait(lock, [&] { return generation != generation_; });
  }

  template <class V>
  void put(int rank, const V& value) {
    static_assert(sizeof(V) <= slot_bytes);
    std::memcpy(&slots_[static_cast<std::size_t>(rank) * slot_bytes], &value, sizeof(V));
  }

  template <class V>
  V get(int rank) const {
    V value;
    std::memcpy(&value, &slots_[static_cast<std::size_t>(rank) * slot_bytes], sizeof(V));
    return value;
  }

  template <class V, class Op>
  V reduce(int rank, V value, Op op) {
    put(rank, value);
    wait();
    V total = get<V>(0);
    for (int other = 1; other < count_; ++other) total = op(total, get<V>(other));
    wait();
    return total;
  }

 private:
  int count_;
  int arrived_ = 0;
  long generation_ = 0;
  std::mutex mutex_;
  std::condition_variable everyone_;
  std::vector<char> slots_;
};

class ThreadWarp {
 public:
  ThreadWarp(MeetingPoint& meeting, int rank) : meeting_(meeting), rank_(rank) {}

  int rank() const { return rank_; }
  int size() const { return meeting_.size(); }
  void sync() { meeting_.wait(); }

  template <class V, class Op>
  V reduce(V value, Op op) {
    return meeting_.reduce(rank_, value, op);
  }

  int append(bool wanted, int& count) {
    meeting_.put(rank_, wanted ? 1 : 0);
    meeting_.wait();
    int place = count;
    for (int lane = 0; lane < meeting_.size(); ++lane) {
      const int one = meeting_.get<int>(lane);
      if (lane < rank_) place += one;
      count += one;
    }
    meeting_.wait();
    return place;
  }

 private:
  MeetingPoint& meeting_;
  int rank_;
};

// A team of real threads: code that passes a thread sanitizer needs no more barriers on a device.
class ThreadTeam {
 public:
  ThreadTeam(MeetingPoint& everyone, MeetingPoint& neighbours, int rank)
      : everyone_(everyone), rank_(rank), warp_(neighbours, rank % neighbours.size()) {}

  int rank() const { return rank_; }
  int size() const { return everyone_.size(); }
  int warps() const { return size() / warp_.size(); }
  int warp_rank() const { return rank_ / warp_.size(); }
  ThreadWarp& warp() { return warp_; }
  void sync() { everyone_.wait(); }

  template <class V, class Op>
  V reduce(V value, Op op) {
    return everyone_.reduce(rank_, value, op);
  }

 private:
  MeetingPoint& everyone_;
  int rank_;
  ThreadWarp warp_;
};

// Runs body(team) on warps x lanes threads.
template <class Body>
void run_team(int warps, int lanes, const Body& body) {
  MeetingPoint everyone(warps * lanes);
  std::vector<std::unique_ptr<MeetingPoint>> meetings;
  for (int warp = 0; warp < warps; ++warp) meetings.push_back(std::make_unique<MeetingPoint>(lanes));
  std::vector<std::thread> threads;
  for (int rank = 0; rank < warps * lanes; ++rank) {
    threads.emplace_back([&, rank] {
      ThreadTeam team(everyone, *meetings[rank / lanes], rank);
      body(team);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace rebasin::cuda
