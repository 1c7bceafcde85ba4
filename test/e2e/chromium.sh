#!/bin/bash
# Chromium for Playwright, without one flag that Playwright passes: with ThirdPartyStoragePartitioning
# disabled and third-party cookies blocked (the default), the extension host's frame, which has an
# origin of its own, is refused all storage. Real browsers partition it instead.
args=()
for a in "$@"; do
    case $a in
    --disable-features=*) a=${a/ThirdPartyStoragePartitioning,/} a=${a/,ThirdPartyStoragePartitioning/} ;;
    esac
    args+=("$a")
done
exec "${CHROMIUM:-/usr/bin/chromium}" "${args[@]}"
