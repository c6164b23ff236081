// SPDX-License-Identifier: MIT
/* The error numbers; kernel code returns them negated and has no errno variable. */
#pragma once

#include <abi/errno.h>
