#!/bin/sh
# Numba uses compiled kernels only from a folder that it can write to; the image's isn't.
[ -d "$NUMBA_CACHE_DIR" ] || cp -R /opt/kernels "$NUMBA_CACHE_DIR"
exec "$@"
