/*
 * Attributes of public declarations; empty where a compiler lacks them.
 */
#ifndef STET_EXPORT_H
#define STET_EXPORT_H

#if defined(__GNUC__)
#define STET_API __attribute__((visibility("default")))
#define STET_NODISCARD __attribute__((warn_unused_result))
#define STET_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define STET_API
#define STET_NODISCARD
#define STET_PRINTF(fmt, args)
#endif

#endif
