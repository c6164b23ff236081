// SPDX-License-Identifier: MIT
/*
 * Parts of paths. Both may change `path` and return a part of it or a constant.
 */
#pragma once

char *basename(char *path);
char *dirname(char *path);
