// SPDX-License-Identifier: MIT
#pragma once

#include <abi/utsname.h>

int uname(struct utsname *to);
