// SPDX-License-Identifier: MIT
/*
 * errno: why the last failing call of this thread failed. Success leaves it as it was.
 */
#pragma once

#include <abi/errno.h>

extern _Thread_local int errno;
