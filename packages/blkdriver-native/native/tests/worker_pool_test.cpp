#include "nbd/worker_pool.h"

#include <doctest/doctest.h>

#include <condition_variable>
#include <deque>
#include <mutex>
#include <string>

using namespace reprise::blk::nbd;

namespace {

/// Who had a turn, in order; turns wait until the gate is open.
class Record {
 public:
  void turn(char name) {
    std::unique_lock lock(mutex_);
    ++begun_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return open_; });
    turns_ += name;
  }
  void await_begun(unsigned count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return begun_ >= count; });
  }
  unsigned begun() {
    const std::lock_guard lock(mutex_);
    return begun_;
  }
  void open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  std::string turns() {
    const std::lock_guard lock(mutex_);
    return turns_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::string turns_;
  unsigned begun_ = 0;
  bool open_ = false;
};

class Work final : public WorkerPool::Job {
 public:
  Work(Record& record, char name, unsigned turns) : record_(record), name_(name), left_(turns) {}
  bool turn() noexcept override {
    record_.turn(name_);
    return --left_ == 0;
  }

 private:
  Record& record_;
  const char name_;
  unsigned left_;
};

}  // namespace

TEST_CASE("lines take turns, whatever each has waiting") {
  Record record;
  WorkerPool pool(1);
  std::deque<Work> works;
  {
    WorkerPool::Line a(pool), b(pool), c(pool);
    const auto submit = [&](WorkerPool::Line& line, char name, unsigned turns = 1) {
      line.submit(works.emplace_back(record, name, turns));
    };
    submit(a, 'a');
    record.await_begun(1);  // the only thread is held at the gate
    for (int i = 0; i < 4; ++i) submit(a, 'A');
    submit(b, 'b');
    submit(c, 'c');
    record.open();
  }
  CHECK(record.turns() == "abcAAAA");
}

TEST_CASE("long work lets other lines, and its own, in between") {
  Record record;
  WorkerPool pool(1);
  std::deque<Work> works;
  {
    WorkerPool::Line a(pool), b(pool);
    a.submit(works.emplace_back(record, 'L', 4u));
    record.await_begun(1);
    a.submit(works.emplace_back(record, 's', 1u));
    b.submit(works.emplace_back(record, 'b', 1u));
    record.open();
  }
  CHECK(record.turns() == "LbsLLL");
}

TEST_CASE("one line never has every thread") {
  Record record;
  WorkerPool pool(3);
  std::deque<Work> works;
  {
    WorkerPool::Line greedy(pool), other(pool);
    for (int i = 0; i < 10; ++i) greedy.submit(works.emplace_back(record, 'g', 1u));
    record.await_begun(2);
    other.submit(works.emplace_back(record, 'o', 1u));
    record.await_begun(3);  // the third thread is the other one's
    CHECK(record.begun() == 3);
    record.open();
  }
  CHECK(record.turns().size() == 11);
}
