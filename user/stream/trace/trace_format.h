/* SPDX-License-Identifier: MIT */
/*
 * trace_format.h - the layout that the writer and the reader of traces share, as C.
 * docs/trace-format.md describes it.
 */
#ifndef GILSCOPE_STREAM_TRACE_TRACE_FORMAT_H
#define GILSCOPE_STREAM_TRACE_TRACE_FORMAT_H

#include <stdint.h>
#include <zlib.h>
#include "stream/definition.h"
#include "stream/stream.h"

/* Numbers are copied as they are in memory; all machines on which gilscope runs are
 * little-endian. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the format is little-endian");

#define TRACE_MAGIC "GILSCOPE"
#define TRACE_MAJOR 1 /* readers refuse a newer one */
#define TRACE_MINOR 3 /* for additions that older readers can skip */

/* Eight characters without a terminator: since GCC 15 that is a warning without the attribute. */
#if __has_attribute(nonstring)
#define NONSTRING __attribute__((nonstring))
#else
#define NONSTRING
#endif

struct trace_preamble {
	char magic[8] NONSTRING;
	uint16_t major, minor;
	uint32_t reserved; /* 0; ignored */
};

enum trace_chunk_type {
	TRACE_HEAD = 1,	       /* JSON, the first chunk */
	TRACE_PROCESS = 2,     /* JSON */
	TRACE_EVENTS = 3,      /* a zstd frame with a block of events */
	TRACE_END = 4,	       /* u64: number of events in the trace */
	TRACE_DEFINITIONS = 5, /* a zstd frame with a block of definitions (from 1.1 on) */
	TRACE_SOURCES = 6,     /* the same with lines of source (from 1.2 on) */
};

struct trace_chunk {
	uint32_t type;
	uint32_t length; /* bytes of the payload that follows */
	uint32_t crc; /* CRC-32 (zlib's) of type, length and payload; the type is included because a
			 reader would silently skip events under a wrong one */
};

#define TRACE_CHUNK_MAX	       (4u << 20)  /* no payload is longer */
#define TRACE_BLOCK_MAX	       (16u << 20) /* no block is larger when decompressed */
#define TRACE_BLOCK_EVENTS_MAX (1u << 20)
#define TRACE_KINDS_MAX	       (1u << 16)

/* A block: this, then columns. A column of N numbers of W bytes is W planes of N bytes: all lowest
 * bytes first. */
struct trace_block {
	uint64_t ts_base;   /* what the first event's step is added to */
	uint32_t events;    /* 1 … TRACE_BLOCK_EVENTS_MAX */
	uint32_t kinds;	    /* 1 … TRACE_KINDS_MAX: different second words of an event (tid, type,
			       flags, aux), a column of 8 bytes */
	uint8_t step_width; /* 1 … 8: bytes of a step of ts, zigzag, a column of `events` */
	uint8_t kind_width; /* 1 … 4: bytes of an index into the kinds, a column of `events` */
	uint16_t tables;    /* number of payload tables that follow */
	uint32_t reserved;  /* 0; ignored */
};

/* A table: this, then a column of `rows` payloads, in the order of their events. There is one for
 * every type that has a payload. */
struct trace_table {
	uint8_t type;
	uint8_t reserved;
	uint16_t width; /* 1 … 256 bytes */
	uint32_t rows;
};

/* A block of definitions: this, then `count` records in the order in which the stream defined them,
 * from which their ids follow. */
struct trace_definitions {
	uint32_t next[3]; /* for each kind of definition that is in such a chunk, the id that the
			     first one in the block has or would have, else 0; reveals a missing
			     chunk */
	uint32_t count;
};

/* Which kinds are in a chunk: from `first`, `count` of them. */
struct trace_kinds {
	uint8_t first, count;
};
static inline struct trace_kinds trace_kinds_of(enum trace_chunk_type type)
{
	return type == TRACE_SOURCES ? (struct trace_kinds){DEFINE_SOURCE, 1}
				     : (struct trace_kinds){DEFINE_FUNCTION, 3};
}

/*
 * A record: this, then `size` bytes. A function: u32 line, name, file; a stack: frames of u32
 * function, u32 line; a text: the text; a line of source: u32 function, u32 line, the text. Names,
 * files and texts end with a NUL.
 */
struct trace_definition {
	uint8_t kind;  /* 0 function, 1 stack, 2 text, 3 line of source */
	uint8_t flags; /* of a stack: TRACE_STACK_CUT; otherwise 0 and ignored */
	uint16_t size;
};
#define TRACE_STACK_CUT 1 /* there are more frames outside */

_Static_assert(DEFINE_FUNCTION == 0 && DEFINE_STACK == 1 && DEFINE_TEXT == 2 &&
		       DEFINE_SOURCE == 3 && DEFINE_KINDS == 4,
	       "part of the format");
_Static_assert(sizeof(struct trace_definitions) == 16 && sizeof(struct trace_definition) == 4 &&
		       sizeof(struct stack_frame) == 8,
	       "part of the format");

#define TRACE_DEFINITION_MAX                                                                       \
	(sizeof(struct trace_definition) + sizeof(uint32_t) + 2 * DEFINE_TEXT_MAX)
_Static_assert(TRACE_DEFINITION_MAX >= sizeof(struct trace_definition) +
					       DEFINE_FRAMES_MAX * sizeof(struct stack_frame),
	       "of any kind");

_Static_assert(sizeof(struct trace_preamble) == 16 && sizeof(struct trace_chunk) == 12,
	       "part of the format");
_Static_assert(sizeof(struct trace_block) == 24 && sizeof(struct trace_table) == 8,
	       "part of the format");

static inline uint32_t trace_chunk_crc(const struct trace_chunk *chunk, const void *payload)
{
	return (uint32_t)crc32(crc32(0, (const unsigned char *)chunk, 8), payload, chunk->length);
}

/* The writer collects this many events for a chunk. */
#define TRACE_WRITE_EVENTS (1u << 16)
/* The writer collects this many bytes of definitions for a chunk. */
#define TRACE_WRITE_DEFINITIONS (1u << 18)

struct trace_encoder;
struct trace_encoder *trace_encoder_new(void);
void trace_encoder_free(struct trace_encoder *encoder);
/* Compresses 1 … TRACE_WRITE_EVENTS events of known types. The result belongs to the encoder, and
 * is valid until the next call. -ENOMEM, -EIO. */
int trace_encode(struct trace_encoder *encoder, const union event *events, uint32_t count,
		 const void **ret_payload, uint32_t *ret_length);

/* Compresses a block of 1 … TRACE_WRITE_DEFINITIONS bytes; the same applies to the result. */
int trace_encode_definitions(struct trace_encoder *encoder, const void *block, size_t size,
			     const void **ret_payload, uint32_t *ret_length);
/* Appends the record of a valid definition to a block. Returns its size, at most
 * TRACE_DEFINITION_MAX. */
size_t trace_put_definition(unsigned char *to, const struct definition *definition);

struct trace_decoder;
struct trace_decoder *trace_decoder_new(void);
void trace_decoder_free(struct trace_decoder *decoder);

struct trace_decoded {
	uint64_t events, skipped; /* delivered; of unknown type */
	uint64_t last_ts;	  /* of the last one delivered, if any */
};

/*
 * Delivers the events of a payload, which may be hostile, and adds to `decoded`. -EBADMSG if it is
 * damaged (ret_why says how); -ENOMEM or the sink's error, with ret_why NULL.
 */
int trace_decode(struct trace_decoder *decoder, const void *payload, uint32_t length,
		 const struct stream_sink *sink, struct trace_decoded *decoded,
		 const char **ret_why);

/*
 * The same for a payload of definitions or of lines of source: delivers them and counts them in
 * `known`, which holds the counts of earlier ones. However many chunks there are, no more than
 * definition_fault() allows get through.
 */
int trace_decode_definitions(struct trace_decoder *decoder, enum trace_chunk_type type,
			     const void *payload, uint32_t length, const struct stream_sink *sink,
			     struct definition_counts *known, const char **ret_why);

/* Decompresses a payload's block, which belongs to the decoder and is valid until the next call. 0,
 * -EBADMSG with ret_why, or -ENOMEM. */
int trace_decompress(struct trace_decoder *decoder, const void *payload, uint32_t length,
		     const unsigned char **ret_block, size_t *ret_size, const char **ret_why);

#endif
