// Shared by the files that give instructions their meaning.
#ifndef BERTH_GUEST_X86_64_LIFT_H
#define BERTH_GUEST_X86_64_LIFT_H

#include "guest/x86_64/decode.h"
#include "guest/x86_64/flags.h"
#include "guest/x86_64/sse.h"
#include "guest/x86_64/state.h"

// One instruction being lifted.
struct lift {
    struct ir_block *b;
    struct x86_insn d;
    i32 rel, next; // pcrel of it and of the one after
    u32 mode;      // MODE_*
};

static inline u32 xlift_size_mode(const struct lift *l) { return l->mode & MODE_SIZE; }
static inline bool xlift_64(const struct lift *l) { return xlift_size_mode(l) == MODE_64; }
static inline bool xlift_segmented(const struct lift *l) { return xlift_size_mode(l) > MODE_32; }
static inline bool xlift_careful(const struct lift *l) { return l->mode & MODE_CAREFUL; }
static inline ir_ref xlift_k(struct lift *l, u64 v) { return ir_const64(l->b, v); }

// ---- values. Sub-word values are i64, zero-extended from their size in bytes ("canonical").
static inline u64 xlift_mask(unsigned size) { return ~(u64)0 >> (64 - 8 * size); }
ir_ref xlift_zext(struct lift *l, ir_ref v, unsigned size);
// The operation on canonical operands, of 32 bits as such, with its result canonical.
ir_ref xlift_alu_op(struct lift *l, enum ir_op op64, enum ir_op op32, ir_ref a, ir_ref b,
                    unsigned size);
bool xlift_is_bit(struct lift *l, ir_ref v); // certainly 0 or 1
ir_ref xlift_sext(struct lift *l, ir_ref v, unsigned size);
ir_ref xlift_reg(struct lift *l, unsigned n, unsigned size); // canonical; AH.. by size 1 and no REX
// Do `n` and `size` mean bits 8 to 15 of register n - 4?
bool xlift_high_byte(const struct lift *l, unsigned n, unsigned size);
void xlift_set_reg(struct lift *l, unsigned n, unsigned size, ir_ref v); // v canonical

// ---- memory. Made once an instruction and used for each access to the operand.
struct ea {
    ir_ref addr;
    i32 disp;
    u8 seg;
    bool offset; // addr is an offset in `seg`, which a helper makes linear for each access
};
struct ea xlift_ea(struct lift *l);
struct ea xlift_ea_at(struct lift *l, ir_ref offset, unsigned seg); // an offset of address size
struct ea xlift_ea_indexed(struct lift *l, ir_ref more); // the ModRM operand plus an offset
// Without its segment; of `size` bytes (the address's or fewer: the caller cuts what is longer).
ir_ref xlift_offset(struct lift *l, unsigned size, i32 *disp);
ir_ref xlift_load(struct lift *l, struct ea ea, unsigned size);
ir_ref xlift_load_signed(struct lift *l, struct ea ea, unsigned size); // 1, 2 or 4 to 8 bytes
ir_ref xlift_load_rmw(struct lift *l, struct ea ea, unsigned size);    // faults as a store
void xlift_store(struct lift *l, struct ea ea, unsigned size, ir_ref v);
struct ea xlift_ea_plus(struct lift *l, struct ea ea, i32 more);
// The linear address of an access, checked: what vector loads and stores use.
ir_ref xlift_linear(struct lift *l, struct ea ea, unsigned size, bool write, i32 *disp);

// ---- operands by number. A destination that is read first is opened with xlift_open.
struct place {
    bool mem;
    u8 reg, size;
    struct ea ea;
};
ir_ref xlift_read(struct lift *l, unsigned i);
struct place xlift_place(struct lift *l, unsigned i);
ir_ref xlift_open(struct lift *l, unsigned i,
                  struct place *p); // its value, for a read-modify-write
void xlift_write(struct lift *l, const struct place *p, ir_ref v);
void xlift_assign(struct lift *l, unsigned i, ir_ref v); // operand i is written only

// ---- the stack
void xlift_stack_push(struct lift *l, ir_ref v, unsigned size);
ir_ref xlift_stack_peek(struct lift *l, unsigned size); // top of stack; moves nothing
void xlift_stack_drop(struct lift *l, unsigned size,
                      unsigned more); // after it: what peek read, and `more` bytes

// ---- flags
void xlift_cc(struct lift *l, enum cc_kind kind, unsigned size, ir_ref res);
void xlift_cc_carry(struct lift *l, ir_ref a, ir_ref b); // CF = a < b
void xlift_cc_carry_bit(struct lift *l, ir_ref carry64); // CF = an i64 that is 0 or 1
void xlift_cc_x(struct lift *l, ir_ref x);
void xlift_cc_logic(struct lift *l, unsigned size, ir_ref res);
// Of a comparison of floats a and b: whether they are ordered and differ, b <= a, and FL_PF when
// unordered.
void xlift_cc_float(struct lift *l, ir_ref differ, ir_ref not_below, ir_ref unordered);
ir_ref xlift_cond(struct lift *l, unsigned cc); // i32
ir_ref xlift_carry(struct lift *l);             // i64, 0 or 1
bool xlift_cc_known(struct lift *l, u64 *op);
// Changes CF (an i64 0 or 1) and OF (an i64 0 or FL_OF) and keeps the others; 0: kept too.
void xlift_cc_patch(struct lift *l, ir_ref cf, ir_ref of);
void xlift_cc_keep_zero(struct lift *l, ir_ref cf); // ZF kept, CF set, the others undefined
ir_ref xlift_status(struct lift *l);                // all of them as in RFLAGS
void xlift_set_status(struct lift *l, ir_ref flags);

// ---- ends
void xlift_fault(struct lift *l, u64 cause); // always raises; ends the block
void xlift_undefined(struct lift *l, unsigned arg);
void xlift_goto(struct lift *l, i64 rel); // to pcrel
void xlift_goto_ind(struct lift *l, ir_ref eip,
                    enum ir_jump_hint hint); // to an instruction pointer
void xlift_branch(struct lift *l, ir_ref cond, i64 taken);
void xlift_leave_next(struct lift *l);    // after something that may have changed anything
void xlift_privileged(struct lift *l);    // #GP unless CPL is 0
ir_ref xlift_ip(struct lift *l, i64 rel); // the instruction pointer the guest sees for pcrel

// Arguments in the table.
enum { ALU_ADD, ALU_OR, ALU_ADC, ALU_SBB, ALU_AND, ALU_SUB, ALU_XOR, ALU_CMP };
enum { SHIFT_L, SHIFT_R, SHIFT_A };
enum { ROT_L, ROT_R };
enum { BCD_DAA, BCD_DAS, BCD_AAA, BCD_AAS, BCD_AAM, BCD_AAD };
enum { STR_MOVS, STR_CMPS, STR_STOS, STR_LODS, STR_SCAS, STR_INS, STR_OUTS };
// imm of the string helper: kind | log2 size << 4 | log2 address size << 8 | segment << 12 | rep <<
// 16 (0 none, 1 while equal or plain, 2 while not equal)
enum { FAR_JMP, FAR_CALL };
enum { LOOP_NE, LOOP_E, LOOP_ANY };
enum { CARRY_CLC, CARRY_STC, CARRY_CMC };
enum { BIT_TEST, BIT_SET, BIT_RESET, BIT_COMPLEMENT };
enum { BLS_R, BLS_MSK, BLS_I };
enum { HALF_LO, HALF_HI, HALF_MEM };
// Shuffles: each of a lane's four dwords is one of a's (0..3) or of b's (4..7), a nibble; of its
// eight words one of a's (0..7) or b's (8..15).
#define DW(w, x, y, z)      ((w) | (x) << 4 | (y) << 8 | (z) << 12)
#define DW_OF_B(w, x, y, z) DW(4 + (w), 4 + (x), 4 + (y), 4 + (z))
#define DW_punpckldq        DW(0, 4, 1, 5)
#define DW_punpckhdq        DW(2, 6, 3, 7)
#define DW_punpcklqdq       DW(0, 1, 4, 5)
#define DW_punpckhqdq       DW(2, 3, 6, 7)
#define W_punpcklwd         0xb3a29180u
#define W_punpckhwd         0xf7e6d5c4u
enum { DW_PSHUFD, DW_SHUFPS, DW_SHUFPD, DW_PERMILPD, DW_BLENDD, DW_BLENDPD };
enum { W_PSHUFLW, W_PSHUFHW, W_PBLENDW };
// PMOVSX (sign 1) and PMOVZX; sizes of elements are log2.
#define EXTEND_TO(sign, from, to) ((sign) << 4 | (to) << 2 | (from))
enum { FMA_132, FMA_213, FMA_231 }; // which operands are multiplied

// One function a value of the lifter column.
typedef void xlift_fn(struct lift *l, unsigned arg);
#define X86(id, name, pfx, form, o1, o2, o3, o4, attr, isa, flags, lifter, arg)                    \
    xlift_fn xlift_##lifter;
#include "guest/x86_64/insns.def"

#endif
