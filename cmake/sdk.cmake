# SPDX-License-Identifier: MIT
function(mapache_sdk)
endfunction()
