// SPDX-License-Identifier: Apache-2.0
// One layer of a stack, whatever it is.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "griffin/layers/mixer.h"
#include "griffin/layers/residual_block.h"

namespace griffin {

/// Any ResidualBlock, or what is called like one: `block(context, batch, x)` in place on the
/// residual stream, with `needs(table, rows)`. Copies share what they hold.
class Block {
 public:
  template <Mixer M>
  Block(ResidualBlock<M> block)  // NOLINT(google-explicit-constructor): a block is a block
      : block_(std::make_shared<Holder<ResidualBlock<M>>>(std::move(block))) {}

  void operator()(Context& context, const Batch& batch, MatrixView x) const {
    block_->run(context, batch, x);
  }
  Needs needs(const kernels::Table& table, std::int64_t rows) const {
    return block_->needs(table, rows);
  }

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
    std::shared_ptr<const Any> with_slots(std::int64_t& next) const override {
      auto copy = std::make_shared<Holder>(block);
      for_each_stateful_layer(copy->block.temporal_block,
                              [&](auto& layer) { layer.slot = next++; });
      return copy;
    }
    void append_shapes(const SequenceOptions& options,
                       std::vector<StateShape>& shapes) const override {
      for_each_stateful_layer(block.temporal_block,
                              [&](const auto& layer) { shapes.push_back(layer.state(options)); });
    }
    bool fits(const SequenceOptions& options, const std::vector<StateShape>& slots) const override {
      bool same = true;
      for_each_stateful_layer(block.temporal_block, [&](const auto& layer) {
        const auto slot = static_cast<std::size_t>(layer.slot);
        same = same && slot < slots.size() && slots[slot] == layer.state(options);
      });
      return same;
    }
    void entrust(Journal& journal) const noexcept override {
      for_each_stateful_layer(block.temporal_block,
                              [&](const auto& layer) { journal.entrust(layer); });
    }

    B block;
  };

  explicit Block(std::shared_ptr<const Any> block) noexcept : block_(std::move(block)) {}

  std::shared_ptr<const Any> block_;
};

}  // namespace griffin
