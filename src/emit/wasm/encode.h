// Writing WebAssembly's binary format: bytes, LEB128 numbers, sections (core specification, chapter
// 5).
#ifndef BERTH_EMIT_WASM_ENCODE_H
#define BERTH_EMIT_WASM_ENCODE_H

#include "base/buf.h"

enum {
    W_UNREACHABLE = 0x00,
    W_BLOCK = 0x02,
    W_LOOP = 0x03,
    W_IF = 0x04,
    W_ELSE = 0x05,
    W_END = 0x0b,
    W_BR = 0x0c,
    W_BR_IF = 0x0d,
    W_BR_TABLE = 0x0e,
    W_RETURN = 0x0f,
    W_CALL_INDIRECT = 0x11,
    W_RETURN_CALL_INDIRECT = 0x13,
    W_DROP = 0x1a,
    W_SELECT = 0x1b,
    W_LOCAL_GET = 0x20,
    W_LOCAL_SET = 0x21,
    W_LOCAL_TEE = 0x22,
    W_I32_LOAD = 0x28,
    W_I64_LOAD = 0x29,
    W_I32_LOAD8_U = 0x2d,
    W_I64_LOAD8_S = 0x30,
    W_I64_LOAD8_U = 0x31,
    W_I64_LOAD16_S = 0x32,
    W_I64_LOAD16_U = 0x33,
    W_I64_LOAD32_S = 0x34,
    W_I64_LOAD32_U = 0x35,
    W_I32_STORE = 0x36,
    W_I64_STORE = 0x37,
    W_I64_STORE8 = 0x3c,
    W_I64_STORE16 = 0x3d,
    W_I64_STORE32 = 0x3e,
    W_I32_CONST = 0x41,
    W_I64_CONST = 0x42,
    W_I32_EQZ = 0x45,
    W_I32_EQ = 0x46,
    W_I32_LE_S = 0x4c,
    W_I64_EQZ = 0x50,
    W_I64_EQ = 0x51,
    W_I64_NE = 0x52,
    W_I64_LE_U = 0x58,
    W_I64_GT_U = 0x56,
    W_I64_LT_S = 0x53,
    W_I64_LT_U = 0x54,
    W_F32_EQ = 0x5b,
    W_F64_EQ = 0x61,
    W_I32_ADD = 0x6a,
    W_I32_SUB = 0x6b,
    W_I32_DIV_S = 0x6d,
    W_I32_DIV_U = 0x6e,
    W_I32_REM_S = 0x6f,
    W_I32_REM_U = 0x70,
    W_I32_AND = 0x71,
    W_I32_OR = 0x72,
    W_I32_SHL = 0x74,
    W_I32_SHR_U = 0x76,
    W_I64_ADD = 0x7c,
    W_I64_SUB = 0x7d,
    W_I64_DIV_S = 0x7f,
    W_I64_DIV_U = 0x80,
    W_I64_REM_S = 0x81,
    W_I64_REM_U = 0x82,
    W_I64_AND = 0x83,
    W_I64_OR = 0x84,
    W_I64_XOR = 0x85,
    W_I64_SHR_U = 0x88,
    W_I32_WRAP_I64 = 0xa7,
    W_I64_EXTEND_I32_S = 0xac,
    W_I64_EXTEND_I32_U = 0xad,
    W_F32_CONST = 0x43,
    W_F64_CONST = 0x44,
    W_I32_NE = 0x47,
    W_I32_GT_S = 0x4a,
    W_I64_GE_U = 0x5a,
    W_I64_MUL = 0x7e,
    W_I64_SHR_S = 0x87,
    W_F32_NEG = 0x8c,
    W_F64_LT = 0x63,
    W_F64_ABS = 0x99,
    W_F64_NEG = 0x9a,
    W_I32_REINTERPRET_F32 = 0xbc,
    W_I64_REINTERPRET_F64 = 0xbd,
    W_F64_LOAD = 0x2b,
    W_F64_STORE = 0x39,
    W_F64_REINTERPRET_I64 = 0xbf,
    W_F32_REINTERPRET_I32 = 0xbe,
    W_T_I32 = 0x7f,
    W_T_I64 = 0x7e,
    W_T_F32 = 0x7d,
    W_T_F64 = 0x7c,
    W_T_V128 = 0x7b,
    W_T_VOID = 0x40,
    W_SIMD = 0xfd,
};

// After W_SIMD.
enum {
    W_V128_LOAD = 0,
    W_V128_STORE = 11,
    W_V128_CONST = 12,
    W_F32X4_SPLAT = 19,
    W_F64X2_SPLAT = 20,
    W_I64X2_EXTRACT_LANE = 29,
    W_I64X2_REPLACE_LANE = 30,
    W_F32X4_EXTRACT_LANE = 31,
    W_F64X2_EXTRACT_LANE = 33,
    W_F32X4_RELAXED_MADD = 0x105,
    W_F64X2_RELAXED_MADD = 0x107,
};

static inline void w_op(struct buf *b, u8 op) { buf_put_u8(b, op); }
void w_u32(struct buf *b, u32 v); // unsigned LEB128
void w_s64(struct buf *b, i64 v); // signed LEB128
void w_i32_const(struct buf *b, i32 v);
void w_i64_const(struct buf *b, i64 v);
void w_local(struct buf *b, u8 op, u32 local);
void w_mem(struct buf *b, u8 op, u32 align_log2, u32 offset); // a load or store
void w_name(struct buf *b, const char *s);
// A section: id, length, the bytes of `body`.
void w_section(struct buf *b, u8 id, const struct buf *body);

#endif
