// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>

/**
 * The part of QEMU's plugin interface (version 1) that this plugin touches, written from its
 * documentation: distributions do not package the header. QEMU reads the version from the plugin
 * and calls qemu_plugin_install; the information that it hands over is not looked at.
 */
extern "C" {
using qemu_plugin_id_t = std::uint64_t;
struct qemu_info_t;

[[gnu::visibility("default")]] extern int qemu_plugin_version;
[[gnu::visibility("default")]] int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t* info,
                                                       int argc, char** argv);
}
