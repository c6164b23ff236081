// SPDX-License-Identifier: MIT
#pragma once

#include <abi/sysinfo.h>

int sysinfo(struct sysinfo *to);
