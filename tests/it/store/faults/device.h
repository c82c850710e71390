/* What `shim.c` tells the device of, after each call that happened; see `device.c`. */
void device_begin(const char *directory);
void device_synced(int fd);
void device_sync_failed(int fd);
void device_written(int fd, long from, long len);
void device_truncated(int fd, long len);
/* Set while the device looks at files itself: such calls are nobody's. */
extern _Thread_local int device_is_at_work;
