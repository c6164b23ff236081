// SPDX-License-Identifier: MIT
/*
 * What the kernel calls itself: uname(2), /proc/version, /proc/sys/kernel.
 */
#pragma once

#define KERNEL_SYSNAME "Linux" /* the ABI that is spoken */
#define KERNEL_NODE    "mapache"
#define KERNEL_RELEASE "6.1.0-mapache"
#define KERNEL_DOMAIN  "(none)"
#ifdef MAPACHE_CORE
#define KERNEL_VERSION "Mapache core"
#else
#define KERNEL_VERSION "Mapache"
#endif
