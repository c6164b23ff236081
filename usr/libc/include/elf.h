// SPDX-License-Identifier: MIT
#pragma once
#include <abi/elf.h>
