/* What the hot path asks of a compiler. */
#ifndef STATSIDECAR_BASE_INLINE_H
#define STATSIDECAR_BASE_INLINE_H

/* Wherever it is called, whatever it costs in size. */
#define INLINE static inline __attribute__((always_inline))

#define likely(condition)   __builtin_expect(!!(condition), 1)
#define unlikely(condition) __builtin_expect(!!(condition), 0)

#endif
