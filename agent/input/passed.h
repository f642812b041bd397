/* Descriptors that the service manager passed (LISTEN_FDS, sd_listen_fds(3)), matched to inputs by what they are. */
#ifndef STATSIDECAR_INPUT_PASSED_H
#define STATSIDECAR_INPUT_PASSED_H

#include <sys/socket.h>
#include <sys/stat.h>

/* Reads the environment and removes the variables from it; the descriptors are the table's until they are taken. */
void passed_init(void);

/* The passed pipe with this device and inode, or the passed socket of this type bound to this address; close-on-exec and
 * non-blocking, now the caller's. -1 where none was passed. */
int passed_take_pipe(const struct stat *status);
int passed_take_socket(int type, const struct sockaddr *address, socklen_t address_len);

/* Closes what nobody took, with a warning for each. */
void passed_close_rest(void);

#endif
