// SPDX-License-Identifier: Apache-2.0
#include "griffin/c/sequence.h"

#include <istream>
#include <sstream>
#include <streambuf>
#include <string>

#include "c/boundary.h"
#include "c/convert.h"
#include "c/handles.h"

using namespace griffin::c;  // NOLINT(google-build-using-namespace): C has no namespaces

namespace {

/// A stream that reads a caller's bytes where they are.
class BytesInput : private std::streambuf, public std::istream {
 public:
  explicit BytesInput(std::string_view bytes) : std::istream(static_cast<std::streambuf*>(this)) {
    char* begin = const_cast<char*>(bytes.data());  // nothing is written
    setg(begin, begin, begin + bytes.size());
  }
};

}  // namespace

griffin_status griffin_sequence_new(const griffin_model* model,
                                    const griffin_sequence_options* options,
                                    griffin_sequence** sequence, griffin_error* error) {
  return guarded(error, [&] {
    griffin_sequence*& out = cleared(sequence, "sequence");
    const griffin::Model& of = required(model, "model").model;
    out = new griffin_sequence{of.new_sequence(sequence_options(options)), {}};
  });
}

void griffin_sequence_free(griffin_sequence* sequence) {
  delete sequence;
}

griffin_status griffin_sequence_fork(const griffin_sequence* sequence, griffin_sequence** copy,
                                     griffin_error* error) {
  return guarded(error, [&] {
    griffin_sequence*& out = cleared(copy, "copy");
    const griffin_sequence& from = required(sequence, "sequence");
    out = new griffin_sequence{from.sequence.fork(), from.unread};
  });
}

griffin_status griffin_sequence_copy(griffin_sequence* to, const griffin_sequence* from,
                                     griffin_error* error) {
  return guarded(error, [&] {
    std::vector<std::int32_t> unread = required(from, "from").unread;
    required(to, "to").sequence.copy_from(from->sequence);
    to->unread = std::move(unread);
  });
}

void griffin_sequence_reset(griffin_sequence* sequence) {
  if (sequence == nullptr) return;
  sequence->sequence.reset();
  sequence->unread.clear();
}

int64_t griffin_sequence_position(const griffin_sequence* sequence) {
  return sequence == nullptr ? -1 : sequence->sequence.position();
}

uint64_t griffin_sequence_bytes(const griffin_sequence* sequence) {
  return sequence == nullptr ? 0 : sequence->sequence.bytes();
}

uint64_t griffin_sequence_used_bytes(const griffin_sequence* sequence) {
  return sequence == nullptr ? 0 : sequence->sequence.used_bytes();
}

griffin_status griffin_sequence_save(const griffin_sequence* sequence, const char* file,
                                     const int32_t* unread, size_t count, griffin_error* error) {
  return guarded(error, [&] {
    required(sequence, "sequence")
        .sequence.save(std::filesystem::path(&required(file, "file")),
                       array(unread, count, "unread"));
  });
}

griffin_status griffin_sequence_restore(griffin_sequence* sequence, const char* file,
                                        griffin_error* error) {
  return guarded(error, [&] {
    const std::filesystem::path path(&required(file, "file"));
    sequence->unread = required(sequence, "sequence").sequence.restore(path);
  });
}

griffin_status griffin_sequence_write(const griffin_sequence* sequence, const int32_t* unread,
                                      size_t count, void* buffer, size_t capacity, size_t* needed,
                                      griffin_error* error) {
  return guarded(error, [&] {
    std::ostringstream out;
    out.exceptions(std::ios::badbit);  // lets std::bad_alloc through
    required(sequence, "sequence").sequence.save(out, array(unread, count, "unread"));
    copy_out(std::span<const char>(out.view()), static_cast<char*>(buffer), capacity, needed);
  });
}

griffin_status griffin_sequence_read(griffin_sequence* sequence, const void* buffer, size_t size,
                                     griffin_error* error) {
  return guarded(error, [&] {
    const auto bytes = array(static_cast<const char*>(buffer), size, "buffer");
    BytesInput in({bytes.data(), bytes.size()});
    sequence->unread = required(sequence, "sequence").sequence.restore(in);
  });
}

const int32_t* griffin_sequence_unread(const griffin_sequence* sequence, size_t* count) {
  if (count != nullptr) *count = sequence == nullptr ? 0 : sequence->unread.size();
  return sequence == nullptr ? nullptr : sequence->unread.data();
}

griffin_status griffin_sequence_saved_position(const char* file, int64_t* position,
                                               griffin_error* error) {
  return guarded(error, [&] {
    const std::filesystem::path path(&required(file, "file"));
    required(position, "position") = griffin::Sequence::saved_position(path);
  });
}

griffin_status griffin_sequence_snapshot(const griffin_sequence* sequence,
                                         griffin_snapshot** snapshot, griffin_error* error) {
  return guarded(error, [&] {
    griffin_snapshot*& out = cleared(snapshot, "snapshot");
    out = new griffin_snapshot{std::make_shared<const griffin::Snapshot>(
        required(sequence, "sequence").sequence.snapshot())};
  });
}

griffin_status griffin_sequence_rollback(griffin_sequence* sequence,
                                         const griffin_snapshot* snapshot, griffin_error* error) {
  return guarded(error, [&] {
    required(sequence, "sequence").sequence.rollback(*required(snapshot, "snapshot").snapshot);
    sequence->unread.clear();
  });
}

int64_t griffin_snapshot_position(const griffin_snapshot* snapshot) {
  return snapshot == nullptr ? -1 : snapshot->snapshot->position();
}

uint64_t griffin_snapshot_bytes(const griffin_snapshot* snapshot) {
  return snapshot == nullptr ? 0 : snapshot->snapshot->bytes();
}

void griffin_snapshot_free(griffin_snapshot* snapshot) {
  delete snapshot;
}
