// SPDX-License-Identifier: Apache-2.0
// States of sequences in files: a header, the unread tokens, the packed state. Little-endian.
#include <array>
#include <bit>
#include <cstring>
#include <istream>
#include <ostream>
#include <string>
#include <utility>

#include "formats/checksum.h"
#include "formats/input_file.h"
#include "formats/output_file.h"
#include "griffin/core/error.h"
#include "griffin/state/sequence.h"

namespace griffin {
namespace {

static_assert(std::endian::native == std::endian::little);

constexpr std::array<char, 8> magic = {'G', 'R', 'I', 'F', 'S', 'T', 'A', 'T'};
// 1 knew models by fewer of their weights; 2 knew h, convolutions and one ring size only.
constexpr std::uint32_t version = 3;
constexpr std::uint64_t most_unread = 1 << 20;

/// No padding, so that all of it counts for the checksum.
struct Header {
  std::array<char, 8> magic;
  std::uint32_t version;
  std::uint32_t kv;
  std::uint64_t model;
  std::uint64_t slots;  // StateLayout::checksum
  std::int64_t position;
  std::uint64_t unread;           // tokens that follow
  std::uint64_t state_bytes;      // that follow them
  std::uint64_t body_checksum;    // of both
  std::uint64_t header_checksum;  // of all before it
};
static_assert(sizeof(Header) == 72);

std::uint64_t checksum_of(const Header& header) {
  return checksum(std::as_bytes(std::span(&header, 1)).first(offsetof(Header, header_checksum)));
}

std::size_t body_bytes(const Header& header) {
  return static_cast<std::size_t>(header.unread) * sizeof(std::int32_t) +
         static_cast<std::size_t>(header.state_bytes);
}

[[noreturn]] void refuse(ErrorCode code, const std::string& name, const std::string& what) {
  throw Error(code, name + ": " + what);
}

}  // namespace

/// What a state is read from.
class StateInput {
 public:
  explicit StateInput(std::string name) : name_(std::move(name)) {}
  virtual ~StateInput() = default;
  StateInput(const StateInput&) = delete;
  StateInput& operator=(const StateInput&) = delete;

  const std::string& name() const noexcept { return name_; }  // for errors

  /// All of the next bytes. Throws Error(format) where there are fewer, Error(io).
  void read(void* to, std::size_t bytes) {
    const std::size_t found = read_some(to, bytes);
    if (found == bytes) return;
    refuse(ErrorCode::format, name_,
           "ends too early: expected " + std::to_string(bytes) + " more bytes, found " +
               std::to_string(found));
  }

  /// Throws Error(format) where nothing may follow and something does.
  virtual void require_end() = 0;

 private:
  virtual std::size_t read_some(void* to, std::size_t bytes) = 0;

  std::string name_;
};

namespace {

/// What follows in a stream is someone else's.
class StateStream final : public StateInput {
 public:
  explicit StateStream(std::istream& in) : StateInput("state"), in_(in) {}
  void require_end() override {}

 private:
  std::size_t read_some(void* to, std::size_t bytes) override {
    in_.read(static_cast<char*>(to), static_cast<std::streamsize>(bytes));
    if (in_.bad()) refuse(ErrorCode::io, name(), "cannot be read");
    return static_cast<std::size_t>(in_.gcount());
  }

  std::istream& in_;
};

class StateFile final : public StateInput {
 public:
  explicit StateFile(const std::filesystem::path& path) : StateInput(path.string()), in_(path) {}
  void require_end() override {
    char next = 0;
    if (in_.read(&next, 1) == 1) refuse(ErrorCode::format, name(), "goes on after the state");
  }

 private:
  std::size_t read_some(void* to, std::size_t bytes) override { return in_.read(to, bytes); }

  InputFile in_;
};

Header read_header(StateInput& in) {
  const std::string& name = in.name();
  Header header;
  in.read(&header, sizeof header);
  if (header.magic != magic) refuse(ErrorCode::format, name, "not a saved state");
  if (header.version != version) {
    refuse(ErrorCode::format, name,
           "expected a state of version " + std::to_string(version) + ", found version " +
               std::to_string(header.version));
  }
  if (header.header_checksum != checksum_of(header)) {
    refuse(ErrorCode::format, name, "the header is damaged");
  }
  if (header.kv > 1 || header.position < 0 || header.position > furthest_position ||
      header.unread > most_unread) {
    refuse(ErrorCode::format, name, "the header makes no sense");
  }
  return header;
}

Header header_of(const StateLayout& layout, std::int64_t position, std::size_t unread) {
  return {magic,
          version,
          static_cast<std::uint32_t>(layout.kv),
          layout.model,
          layout.checksum(),
          position,
          unread,
          layout.used_bytes(position),
          0,
          0};
}

}  // namespace

/// Header and body in one piece of memory.
Buffer Sequence::to_bytes(std::span<const std::int32_t> unread) const {
  check_whole("save");
  if (unread.size() > most_unread) {
    refuse(ErrorCode::invalid_argument, "state", "more than 2^20 unread tokens");
  }
  Header header = header_of(layout_, position_, unread.size());
  Buffer bytes(sizeof header + body_bytes(header));
  std::byte* body = bytes.data() + sizeof header;
  if (!unread.empty()) std::memcpy(body, unread.data(), unread.size_bytes());
  pack(body + unread.size_bytes());
  header.body_checksum = checksum({body, body_bytes(header)});
  header.header_checksum = checksum_of(header);
  std::memcpy(bytes.data(), &header, sizeof header);
  return bytes;
}

void Sequence::save(const std::filesystem::path& file, std::span<const std::int32_t> unread) const {
  const Buffer bytes = to_bytes(unread);
  OutputFile out(file);
  out.write(std::span(bytes.data(), bytes.size()));
  out.commit();
}

void Sequence::save(std::ostream& out, std::span<const std::int32_t> unread) const {
  const Buffer bytes = to_bytes(unread);
  out.write(reinterpret_cast<const char*>(bytes.data()),
            static_cast<std::streamsize>(bytes.size()));
  if (!out.flush()) refuse(ErrorCode::io, "state", "cannot be written to the stream");
}

std::int64_t Sequence::saved_position(const std::filesystem::path& file) {
  StateFile in(file);
  return read_header(in).position;
}

std::vector<std::int32_t> Sequence::restore(const std::filesystem::path& file) {
  StateFile in(file);
  return from(in);
}

std::vector<std::int32_t> Sequence::restore(std::istream& in) {
  StateStream stream(in);
  return from(stream);
}

/// Looks at everything before it changes anything.
std::vector<std::int32_t> Sequence::from(StateInput& in) {
  const std::string& name = in.name();
  const Header header = read_header(in);
  const bool is_alike = header.model == layout_.model && header.slots == layout_.checksum();
  check_fits(static_cast<Dtype>(header.kv), is_alike, header.position, name);
  if (header.state_bytes != layout_.used_bytes(header.position)) {
    refuse(ErrorCode::format, name,
           "expected a state of " + std::to_string(layout_.used_bytes(header.position)) +
               " bytes, found " + std::to_string(header.state_bytes));
  }
  Buffer body(body_bytes(header));
  in.read(body.data(), body.size());
  if (header.body_checksum != checksum({body.data(), body.size()})) {
    refuse(ErrorCode::format, name, "the state is damaged: its checksum is another");
  }
  in.require_end();
  std::vector<std::int32_t> unread(static_cast<std::size_t>(header.unread));
  const std::size_t unread_bytes = unread.size() * sizeof(std::int32_t);
  if (!unread.empty()) std::memcpy(unread.data(), body.data(), unread_bytes);
  unpack(body.data() + unread_bytes, header.position);
  return unread;
}

}  // namespace griffin
