#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "device/block_device.h"

namespace reprise::blk::nbd {

/// Something that BLOCK_STATUS can be asked about.
struct MetaContext {
  std::uint32_t id;
  std::string_view name;
  StatusKind kind;
};

/// Everything this server knows. QEMU reads bitmaps under its own name, so the
/// dirty blocks stand under both.
inline constexpr MetaContext kMetaContexts[] = {
    {1, "base:allocation", StatusKind::kAllocation},
    {2, "reprise:dirty", StatusKind::kDirty},
    {3, "qemu:dirty-bitmap:reprise", StatusKind::kDirty},
};

/// The contexts that a query of SET_META_CONTEXT names (exactly), or a query of
/// LIST_META_CONTEXT (also by a namespace, such as "base:" or "qemu:dirty-bitmap:").
inline void match_contexts(std::string_view query, bool listing,
                           std::vector<MetaContext>& matched) {
  for (const MetaContext& context : kMetaContexts) {
    const bool by_namespace = listing && query.ends_with(':') && context.name.starts_with(query);
    if (context.name != query && !by_namespace) continue;
    bool known = false;
    for (const MetaContext& other : matched) known = known || other.id == context.id;
    if (!known) matched.push_back(context);
  }
}

}  // namespace reprise::blk::nbd
