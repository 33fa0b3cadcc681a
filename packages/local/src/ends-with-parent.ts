/** Loaded before the program of a forked child (`--import`): it ends when its parent is gone, however that died. */
process.on('disconnect', () => process.exit(1));
// A program that is done may end by itself: the channel alone does not keep it.
process.channel?.unref();
