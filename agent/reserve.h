/* Memory that libevent is given where the system has none: it does not survive the lack of it everywhere (an HTTP connection
 * that can be made only in part ends the program). Small blocks, enough for what is begun in such a moment; they cost nothing
 * before they are touched. */
#ifndef STATSIDECAR_RESERVE_H
#define STATSIDECAR_RESERVE_H

/* Before libevent is called for the first time. */
void reserve_install(void);

#endif
