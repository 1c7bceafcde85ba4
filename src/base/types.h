// Fixed-width types and the address vocabulary used everywhere.
#ifndef BERTH_BASE_TYPES_H
#define BERTH_BASE_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int8_t i8;
typedef int16_t i16;
typedef int32_t i32;
typedef int64_t i64;

typedef u64 gva; // guest virtual address
typedef u64 gpa; // guest physical address

#endif
