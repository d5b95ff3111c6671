#include "image.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>

#include "fault.h"

namespace reprise::differ {
namespace {

std::atomic<std::uint64_t> examinedPages{0};

}  // namespace

std::uint64_t bytesExamined() {
  return examinedPages.load(std::memory_order_relaxed) * kPageSize;
}

Image::Meter::~Meter() {
  if (pages_ > 0) examinedPages.fetch_add(pages_, std::memory_order_relaxed);
}

Image::Image(const ImageSpec& spec, Access access)
    : sizeBytes_(spec.sizeBytes), extents_(spec.extents) {
  constexpr std::uint64_t kLargest = std::uint64_t{1}
                                     << 59;  // sums and page numbers cannot overflow
  files_.reserve(spec.files.size());
  for (const auto& path : spec.files) files_.emplace_back(path, access);
  std::uint64_t reached = 0;
  for (const auto& e : extents_) {
    const bool fits = sizeBytes_ <= kLargest && e.length > 0 && e.length <= sizeBytes_ &&
                      e.logical >= reached && e.logical <= sizeBytes_ - e.length &&
                      e.file < files_.size() && e.fileOffset <= files_[e.file].bytes().size() &&
                      e.length <= files_[e.file].bytes().size() - e.fileOffset;
    if (!fits) {
      throw Fault(
          "IMAGE_INVALID",
          "An extent of an image overlaps another or leaves its file or the image. Describe "
          "the image again from the files as they are now.");
    }
    reached = e.logical + e.length;
  }
}

std::size_t Image::extentAfter(std::uint64_t offset) const {
  const auto it = std::upper_bound(
      extents_.begin(), extents_.end(), offset,
      [](std::uint64_t value, const Extent& e) { return value < e.logical + e.length; });
  return static_cast<std::size_t>(it - extents_.begin());
}

const std::uint8_t* Image::page(std::uint64_t number, MutablePage scratch) const {
  if (number >= pageCount()) return kZeroPage;
  const std::uint64_t begin = number * kPageSize;
  const std::uint64_t end = begin + kPageSize;
  std::size_t i = extentAfter(begin);
  if (i == extents_.size() || extents_[i].logical >= end) return kZeroPage;
  meter_.count();
  const Extent& whole = extents_[i];
  if (whole.logical <= begin && whole.logical + whole.length >= end) {
    return files_[whole.file].bytes().data() + whole.fileOffset + (begin - whole.logical);
  }
  std::fill(scratch.begin(), scratch.end(), std::uint8_t{0});
  for (; i < extents_.size() && extents_[i].logical < end; ++i) {
    const Extent& e = extents_[i];
    const std::uint64_t from = std::max(begin, e.logical);
    const std::uint64_t to = std::min(end, e.logical + e.length);
    std::memcpy(scratch.data() + (from - begin),
                files_[e.file].bytes().data() + e.fileOffset + (from - e.logical), to - from);
  }
  return scratch.data();
}

bool Image::holds(std::uint64_t number) const {
  const std::size_t i = extentAfter(number * kPageSize);
  return i < extents_.size() && extents_[i].logical < (number + 1) * kPageSize;
}

std::uint64_t Image::nextHeld(std::uint64_t number) const {
  const std::size_t i = extentAfter(number * kPageSize);
  if (i == extents_.size()) return pageCount();
  return std::max(number, extents_[i].logical / kPageSize);
}

std::uint64_t Image::heldEnd(std::uint64_t number) const {
  std::size_t i = extentAfter(number * kPageSize);
  std::uint64_t end = number;
  while (i < extents_.size() && extents_[i].logical / kPageSize <= end) {
    end = pagesOf(extents_[i].logical + extents_[i].length);
    ++i;
  }
  return end;
}

template <typename Visit>
void Image::eachMapping(std::uint64_t first, std::uint64_t count, Visit visit) const {
  const std::uint64_t begin = first * kPageSize;
  const std::uint64_t end = begin + count * kPageSize;
  for (std::size_t i = extentAfter(begin); i < extents_.size() && extents_[i].logical < end; ++i) {
    const Extent& e = extents_[i];
    const std::uint64_t from = std::max(begin, e.logical);
    const std::uint64_t to = std::min(end, e.logical + e.length);
    visit(files_[e.file], e.fileOffset + (from - e.logical), to - from);
  }
}

void Image::prefetch(std::uint64_t first, std::uint64_t count) const {
  if (first >= pageCount()) return;
  eachMapping(first, count, [](const MappedFile& file, std::uint64_t offset, std::uint64_t length) {
    file.prefetch(offset, length);
  });
}

void Image::populate(std::uint64_t first, std::uint64_t count) const {
  eachMapping(first, count, [](const MappedFile& file, std::uint64_t offset, std::uint64_t length) {
    file.populate(offset, length);
  });
}

void Image::release(std::uint64_t first, std::uint64_t count) const {
  eachMapping(first, count, [](const MappedFile& file, std::uint64_t offset, std::uint64_t length) {
    file.release(offset, length);
  });
}

void StateImages::prefetch(std::span<const std::uint64_t> pages) const {
  for (std::size_t i = 0; i < pages.size();) {
    const Location first{pages[i]};
    std::size_t end = i + 1;
    // Locations of one space grow by two a page: the space's bit stands below.
    while (end < pages.size() && pages[end] == pages[end - 1] + 2) ++end;
    of(first.space()).prefetch(first.page(), end - i);
    i = end;
  }
}

ImageSpec describeFile(const std::string& path) {
  const FileDescriptor file(path, O_RDONLY);
  ImageSpec spec{file.sizeBytes(), {path}, {}};
  off_t at = 0;
  while (static_cast<std::uint64_t>(at) < spec.sizeBytes) {
    const off_t data = lseek(file.get(), at, SEEK_DATA);
    if (data < 0 && errno == ENXIO) break;  // nothing but a hole up to the end
    if (data < 0) throw systemFault("FILE_UNREADABLE", "Cannot map the holes of " + path, errno);
    const off_t hole = lseek(file.get(), data, SEEK_HOLE);
    if (hole < 0) throw systemFault("FILE_UNREADABLE", "Cannot map the holes of " + path, errno);
    const auto from = static_cast<std::uint64_t>(data);
    spec.extents.push_back({from, static_cast<std::uint64_t>(hole) - from, 0, from});
    at = hole;
  }
  return spec;
}

}  // namespace reprise::differ
