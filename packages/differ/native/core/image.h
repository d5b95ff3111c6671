// An image: bytes that stand in files, with gaps that read as zeros (a RAM file with holes, or a
// disk spread over a base and overlays).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "mapped_file.h"
#include "page.h"

namespace reprise::differ {

// Bytes [logical, logical + length) stand at `fileOffset` of file number `file`.
struct Extent {
  std::uint64_t logical;
  std::uint64_t length;
  std::uint64_t file;
  std::uint64_t fileOffset;
};

struct ImageSpec {
  std::uint64_t sizeBytes = 0;
  std::vector<std::string> files;
  std::vector<Extent> extents;  // ascending and disjoint
};

// Bytes of pages that images of this process have given out and that some file holds, of images
// that are closed: what an operation looks at, whether it came from storage or from the page cache.
std::uint64_t bytesExamined();

class Image {
 public:
  // Throws IMAGE_INVALID when the extents overlap or leave their file or the image.
  explicit Image(const ImageSpec& spec, Access access = Access::scan);

  std::uint64_t sizeBytes() const { return sizeBytes_; }
  std::uint64_t pageCount() const { return pagesOf(sizeBytes_); }

  // The page's bytes, in place where they stand in one piece, else put together in `scratch`. What
  // no extent covers, and what lies beyond the image, reads as zeros. O(log extents).
  const std::uint8_t* page(std::uint64_t number, MutablePage scratch) const;

  // Whether an extent touches the page: pages that none touches are zero without looking.
  bool holds(std::uint64_t number) const;
  // First page at or after `number` that an extent touches; pageCount() if none.
  std::uint64_t nextHeld(std::uint64_t number) const;
  // First page after `number` that no extent touches, for a page that is held.
  std::uint64_t heldEnd(std::uint64_t number) const;

  // The pages of [first, first + count) are about to be read, or were: see MappedFile.
  void prefetch(std::uint64_t first, std::uint64_t count) const;
  void populate(std::uint64_t first, std::uint64_t count) const;
  void release(std::uint64_t first, std::uint64_t count) const;

 private:
  // Adds to bytesExamined() once, at its end: threads do not fight over a counter a page.
  class Meter {
   public:
    Meter() = default;
    Meter(Meter&& other) noexcept : pages_(other.pages_) { other.pages_ = 0; }
    Meter& operator=(Meter&&) = delete;
    Meter(const Meter&) = delete;
    Meter& operator=(const Meter&) = delete;
    ~Meter();
    void count() { ++pages_; }

   private:
    std::uint64_t pages_ = 0;
  };

  std::size_t extentAfter(std::uint64_t offset) const;
  template <typename Visit>
  void eachMapping(std::uint64_t first, std::uint64_t count, Visit visit) const;

  std::uint64_t sizeBytes_;
  std::vector<MappedFile> files_;
  std::vector<Extent> extents_;
  mutable Meter meter_;
};

// Both images of one state of a machine.
struct StateImages {
  const Image& ram;
  const Image& disk;
  const Image& of(Space space) const { return space == Space::ram ? ram : disk; }
  // These pages (packed locations) are about to be read: storage is asked for all of them at once,
  // a run in one piece.
  void prefetch(std::span<const std::uint64_t> pages) const;
};

// Where a sparse file holds data (SEEK_DATA), as one image.
ImageSpec describeFile(const std::string& path);

}  // namespace reprise::differ
