// SPDX-License-Identifier: MIT
/*
 * What a thread asks about itself. -1 and errno on failure.
 */
#pragma once

#include <abi/prctl.h>

int prctl(int option, ...);
