// SPDX-License-Identifier: MIT
/*
 * Device numbers.
 */
#pragma once

#include <abi/stat.h>

#define makedev(major, minor) ABI_MAKEDEV(major, minor)
#define major(dev)            ABI_MAJOR(dev)
#define minor(dev)            ABI_MINOR(dev)
