// What a flush or a FUA has made the kernel write to the disk before it is answered.
#include <algorithm>

#include "served_disk.h"
#include "synced_files.h"

using namespace reprise::blk;
using namespace reprise::blk::testing;

namespace {

Bytes write_request(std::uint64_t offset, std::uint16_t flags = 0) {
  Bytes write = request(nbd::Command::kWrite, offset, 4096, flags);
  write.resize(write.size() + 4096);
  return write;
}

void ask(const UniqueFd& client, const Bytes& bytes) {
  ServedDisk::send(client, bytes);
  REQUIRE(error_of(ServedDisk::take(client, 16)) == 0);
}

/// The data, and after it the log that says that the data is durable.
void check_made_durable(const std::vector<std::string>& files) {
  const auto data = std::find(files.begin(), files.end(), "data");
  CHECK(data != files.end());
  const auto is_log = [](const std::string& name) { return name.starts_with("log"); };
  CHECK(std::any_of(data, files.end(), is_log));
}

}  // namespace

TEST_CASE("a flush on one connection syncs what another one wrote, data before log") {
  const ServedDisk fixture;
  SyncedFiles synced;
  const auto writer = fixture.connect_to_export();
  const auto flusher = fixture.connect_to_export();
  for (std::uint64_t block = 0; block < 3; ++block) {
    ask(writer, write_request(block * 4096));
    synced.take();
    ask(flusher, request(nbd::Command::kFlush, 0, 0));
    check_made_durable(synced.take());
  }
}

TEST_CASE("a FUA write, trim and zeroing are synced before they are answered, others are not") {
  const ServedDisk fixture;
  SyncedFiles synced;
  const auto client = fixture.connect_to_export();
  ask(client, write_request(0));
  CHECK(synced.take().empty());
  ask(client, write_request(4096, nbd::kCmdFlagFua));
  check_made_durable(synced.take());
  ask(client, request(nbd::Command::kTrim, 0, 4096, nbd::kCmdFlagFua));
  check_made_durable(synced.take());
  ask(client, request(nbd::Command::kWriteZeroes, 0, 8192, nbd::kCmdFlagFua));
  check_made_durable(synced.take());
}
