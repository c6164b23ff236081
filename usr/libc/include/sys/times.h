// SPDX-License-Identifier: MIT
#pragma once

#include <sys/types.h>
#include <abi/time.h>

/* Processor times of the process and its waited-for children; ticks since some start. */
clock_t times(struct tms *to);
