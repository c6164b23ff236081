// SPDX-License-Identifier: MIT
#pragma once

#include <abi/syscall.h>
