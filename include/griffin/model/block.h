// SPDX-License-Identifier: Apache-2.0
// One layer of a stack, whatever it is.
#pragma once

#include <concepts>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "griffin/layers/mixer.h"
#include "griffin/layers/residual_block.h"

namespace GRIFFIN_API griffin {

class Block;

/// What may be in a stack: a ResidualBlock, or what is called like one, with an MLP or without.
/// `block(context, batch, x)` works in place on the residual stream x [rows, width], in the memory
/// that `needs(table, rows)` tells. A block that keeps something of a sequence is a StatefulLayer
/// itself, or names those it has, with
///   static void for_each_stateful_layer(auto& block, const auto& f);
/// which calls f for each of them, in a fixed order: so the model gives them their slots.
template <class B>
concept StackBlock = !std::same_as<B, Block> && std::copy_constructible<B> &&
                     requires(const B& block, Context& context, const Batch& batch, MatrixView x,
                              const kernels::Table& table, std::int64_t rows) {
  block(context, batch, x);
  { block.needs(table, rows) } -> std::convertible_to<Needs>;
};

/// Any StackBlock. Copies share what they hold.
class Block {
 public:
  template <StackBlock B>
  Block(B block)  // NOLINT(google-explicit-constructor): a block is a block
      : block_(std::make_shared<Holder<B>>(std::move(block))) {}

  void operator()(Context& context, const Batch& batch, MatrixView x) const {
    block_->run(context, batch, x);
  }
  Needs needs(const kernels::Table& table, std::int64_t rows) const {
    return block_->needs(table, rows);
  }

  /// Whether it was moved from.
  bool is_empty() const noexcept { return block_ == nullptr; }

  /// Throws Error(invalid_argument) where its parts do not fit each other, or rows [.., width].
  void check(std::int64_t width) const { block_->check(width); }
  /// The same block with slots from `next` on, one for each of its stateful layers.
  Block with_slots(std::int64_t& next) const { return Block(block_->with_slots(next)); }
  /// Appends what its stateful layers keep. Throws what their state() throws.
  void append_shapes(const SequenceOptions& options, std::vector<StateShape>& shapes) const {
    block_->append_shapes(options, shapes);
  }
  /// Whether the slots of a layout are what its stateful layers keep. Throws as append_shapes().
  bool fits(const SequenceOptions& options, const std::vector<StateShape>& slots) const {
    return block_->fits(options, slots);
  }
  /// Entrusts a journal to its stateful layers.
  void entrust(Journal& journal) const noexcept { block_->entrust(journal); }

  /// The block itself, if it is of that type; else null.
  template <class B>
  const B* as() const noexcept {
    const auto* holder = dynamic_cast<const Holder<B>*>(block_.get());
    return holder != nullptr ? &holder->block : nullptr;
  }

 private:
  struct Any {
    virtual ~Any() = default;
    virtual void run(Context&, const Batch&, MatrixView) const = 0;
    virtual Needs needs(const kernels::Table&, std::int64_t) const = 0;
    virtual void check(std::int64_t) const = 0;
    virtual std::shared_ptr<const Any> with_slots(std::int64_t&) const = 0;
    virtual void append_shapes(const SequenceOptions&, std::vector<StateShape>&) const = 0;
    virtual bool fits(const SequenceOptions&, const std::vector<StateShape>&) const = 0;
    virtual void entrust(Journal&) const noexcept = 0;
  };

  template <class B>
  struct Holder final : Any {
    explicit Holder(B held) : block(std::move(held)) {}

    void run(Context& context, const Batch& batch, MatrixView x) const override {
      block(context, batch, x);
    }
    Needs needs(const kernels::Table& table, std::int64_t rows) const override {
      return block.needs(table, rows);
    }
    void check(std::int64_t width) const override { check_parts(block, width); }
    std::shared_ptr<const Any> with_slots(std::int64_t& next) const override {
      auto copy = std::make_shared<Holder>(block);
      for_each_stateful_layer(copy->block, [&](auto& layer) { layer.slot = next++; });
      return copy;
    }
    void append_shapes(const SequenceOptions& options,
                       std::vector<StateShape>& shapes) const override {
      for_each_stateful_layer(block,
                              [&](const auto& layer) { shapes.push_back(layer.state(options)); });
    }
    bool fits(const SequenceOptions& options, const std::vector<StateShape>& slots) const override {
      bool same = true;
      for_each_stateful_layer(block, [&](const auto& layer) {
        const auto slot = static_cast<std::size_t>(layer.slot);
        same = same && slot < slots.size() && slots[slot] == layer.state(options);
      });
      return same;
    }
    void entrust(Journal& journal) const noexcept override {
      for_each_stateful_layer(block, [&](const auto& layer) { journal.entrust(layer); });
    }

    B block;
  };

  explicit Block(std::shared_ptr<const Any> block) noexcept : block_(std::move(block)) {}

  std::shared_ptr<const Any> block_;
};

}  // namespace griffin
