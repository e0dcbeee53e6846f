// SPDX-License-Identifier: Apache-2.0
// Which chat templates are Gemma's.
#include "griffin/generate/chat_template.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "griffin/core/error.h"
#include "griffin/generate/text_generator.h"
#include "support/temp_folder.h"
#include "support/turn_tokenizer.h"

namespace griffin::test {
namespace {

const std::string gemma =
    R"({{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}{% for message in messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}{% if (message['role'] == 'assistant') %}{% set role = 'model' %}{% else %}{% set role = message['role'] %}{% endif %}{{ '<start_of_turn>' + role + '\n' + message['content'] | trim + '<end_of_turn>\n' }}{% endfor %}{% if add_generation_prompt %}{{'<start_of_turn>model\n'}}{% endif %})";
const std::string gemma2_with_system =
    R"({{ bos_token }}{% if messages[0]['role'] == 'system' %}{% set system_message = messages[0]['content'] | trim + '\n\n' %}{% set messages = messages[1:] %}{% else %}{% set system_message = '' %}{% endif %}{% for message in messages %}{% if (message['role'] == 'assistant') %}{% set role = 'model' %}{% else %}{% set role = message['role'] %}{% endif %}{{ '<start_of_turn>' + role + '\n' + (system_message if loop.first else '') + message['content'] | trim + '<end_of_turn>\n' }}{% endfor %}{% if add_generation_prompt %}{{'<start_of_turn>model\n'}}{% endif %})";
const std::string gemma3 = R"({{ bos_token }}
{%- if messages[0]['role'] == 'system' -%}
    {%- if messages[0]['content'] is string -%}
        {%- set first_user_prefix = messages[0]['content'] + '\n\n' -%}
    {%- else -%}
        {%- set first_user_prefix = messages[0]['content'][0]['text'] + '\n\n' -%}
    {%- endif -%}
    {%- set loop_messages = messages[1:] -%}
{%- else -%}
    {%- set first_user_prefix = "" -%}
    {%- set loop_messages = messages -%}
{%- endif -%}
{%- for message in loop_messages -%}
    {%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) -%}
        {{ raise_exception("Conversation roles must alternate user/assistant/user/assistant/...") }}
    {%- endif -%}
    {%- if (message['role'] == 'assistant') -%}
        {%- set role = "model" -%}
    {%- else -%}
        {%- set role = message['role'] -%}
    {%- endif -%}
    {{ '<start_of_turn>' + role + '\n' + (first_user_prefix if loop.first else "") }}
    {%- if message['content'] is string -%}
        {{ message['content'] | trim }}
    {%- elif message['content'] is iterable -%}
        {%- for item in message['content'] -%}
            {%- if item['type'] == 'image' -%}
                {{ '<start_of_image>' }}
            {%- elif item['type'] == 'text' -%}
                {{ item['text'] | trim }}
            {%- endif -%}
        {%- endfor -%}
    {%- else -%}
        {{ raise_exception("Invalid content type") }}
    {%- endif -%}
    {{ '<end_of_turn>\n' }}
{%- endfor -%}
{%- if add_generation_prompt -%}
    {{'<start_of_turn>model\n'}}
{%- endif -%}
)";
const std::string by_branches =
    R"({% for message in messages %}{% if message['role'] == 'user' %}{{'<start_of_turn>user\n' + message['content'] | trim + '<end_of_turn>\n'}}{% elif message['role'] == 'assistant' %}{{'<start_of_turn>model\n' + message['content'] | trim + '<end_of_turn>\n' }}{% else %}{{ raise_exception('Only user and assistant roles are supported!') }}{% endif %}{% endfor %}{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %})";
const std::string chatml =
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}";

std::string replaced(std::string text, const std::string& what, const std::string& with) {
  for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += with.size()) {
    text.replace(at, what.size(), with);
  }
  return text;
}

ChatFormat format(const std::string& text) {
  return recognise_chat_template(text);
}

TEST(ChatTemplate, GemmasInAnySpelling) {
  EXPECT_EQ(format(gemma), ChatFormat::gemma);
  EXPECT_EQ(format(replaced(gemma, "{{ bos_token }}", "")), ChatFormat::gemma);
  EXPECT_EQ(format(replaced(gemma, "'", "\"")), ChatFormat::gemma);
  EXPECT_EQ(format(replaced(gemma, "{% ", "\n  {%- ")), ChatFormat::gemma);
  EXPECT_EQ(format("{# Once upon a time #}" + gemma), ChatFormat::gemma);
  EXPECT_EQ(format(replaced(gemma, "message[", "m[")), ChatFormat::other);  // not the loop's
  const std::string m = replaced(replaced(gemma, "for message", "for m"), "message[", "m[");
  EXPECT_EQ(format(m), ChatFormat::gemma);
  EXPECT_EQ(format(replaced(m, "m['role']", "m.role")), ChatFormat::gemma);
  EXPECT_EQ(format("{% for m in messages %}<start_of_turn>{{ m.role }}\n{{ m.content | trim }}"
                   "<end_of_turn>\n{% endfor %}{{ '<start_of_turn>model\\n' }}"),
            ChatFormat::gemma);
}

TEST(ChatTemplate, GemmasOfEveryGeneration) {
  EXPECT_EQ(format(gemma2_with_system), ChatFormat::gemma);
  EXPECT_EQ(format(gemma3), ChatFormat::gemma);
  EXPECT_EQ(format(by_branches), ChatFormat::gemma);
  EXPECT_EQ(format(replaced(gemma2_with_system, "{% set system_message = '' %}",
                            "{% set system_message = 'Be brief.' %}")),
            ChatFormat::other);
  EXPECT_EQ(format(replaced(gemma3, "first_user_prefix = \"\"", "first_user_prefix = \"\\n\"")),
            ChatFormat::other);
}

TEST(ChatTemplate, LineEndsAndByteOrderMark) {
  for (const std::string& text : {gemma, gemma3, replaced(gemma, "\\n", "\n")}) {
    EXPECT_EQ(format(text), ChatFormat::gemma);
    EXPECT_EQ(format(replaced(text, "\n", "\r\n")), ChatFormat::gemma);
    EXPECT_EQ(format(replaced(text, "\n", "\r")), ChatFormat::gemma);
    EXPECT_EQ(format("\xEF\xBB\xBF" + text + "\r\n"), ChatFormat::gemma);
  }
}

/// Each as Jinja would write it: trim_blocks and lstrip_blocks are for {% %} alone.
TEST(ChatTemplate, WhiteSpaceThatIsWritten) {
  EXPECT_EQ(format(gemma + "\n\n"), ChatFormat::gemma);  // the tag's and the template's last
  EXPECT_EQ(format(gemma + "\n\n\n"), ChatFormat::other);
  EXPECT_EQ(format(replaced(gemma, "%}", "%}\n")), ChatFormat::gemma);
  EXPECT_EQ(format(replaced(gemma, "%}", "%}\n\n")), ChatFormat::other);
  EXPECT_EQ(format(replaced(gemma, "%}", "-%}\n\n ")), ChatFormat::gemma);
  EXPECT_EQ(format(replaced(gemma, "%}", "+%}\n")), ChatFormat::other);
  EXPECT_EQ(format(replaced(gemma, "{% for", "\n{% for")), ChatFormat::gemma);
  EXPECT_EQ(format(replaced(gemma, "{% for", "  {% for")), ChatFormat::other);
  EXPECT_EQ(format(replaced(gemma, "{% for", "\n  {% for")), ChatFormat::gemma);
  EXPECT_EQ(format(replaced(gemma, "{% for", "\n  {%+ for")), ChatFormat::other);
  EXPECT_EQ(format(replaced(gemma, "{{ bos_token }}", "{{ bos_token }}\n")), ChatFormat::other);
  EXPECT_EQ(format("{# a\nb #}\n  " + replaced(gemma, "{{ bos_token }}", "")), ChatFormat::gemma);
}

TEST(ChatTemplate, WhatIsWrittenBesides) {
  const std::pair<const char*, const char*> changes[] = {
      {"role + '\\n'", "role + '\\n\\n'"},
      {"role + '\\n'", "role + ':\\n'"},
      {"role + '\\n'", "role | upper + '\\n'"},
      {"role + '\\n'", "role + eos_token + '\\n'"},
      {"'<end_of_turn>\\n'", "'<end_of_turn>\\n\\n'"},
      {"'<end_of_turn>\\n'", "'<end_of_turn>\\n' + eos_token"},
      {"'<end_of_turn>\\n'", "'<end_of_turn>\\n' if not loop.last else ''"},
      {"model\\n'}}", "model\\n\\n'}}"},
      {"model\\n'}}", "model\\n'}}{{ '...' }}"},
      {"model\\n'}}", "model\\n'}}..."},
      {"+ message['content']", "+ 'text: ' + message['content']"},
      {"| trim", "| trim | upper"},
      {"| trim", "| upper"},
      {"| trim", ""},
      {"message['content']", "message['content'][1:]"},
      {"message['content']", "message['text']"},
      {"in messages %}", "in messages[1:] %}"},
      {"set role = 'model'", "set role = 'assistant'"},
      {"set role = message['role']", "set role = message['role'] + '!'"},
      {"if add_generation_prompt", "if not add_generation_prompt"},
      {"{{ bos_token }}", "{{ bos_token }}{{ bos_token }}"},
      {"{{ bos_token }}", "{{ eos_token }}"},
      {"{{ bos_token }}", "{{ bos_token }}\x01"},
      {"{{ bos_token }}", "{{ bos_token"},
      {"{% endfor %}", "{% endif %}"},
      {"{% endfor %}", ""},
      {"{% endfor %}", "{% endfor %}{% set"},
  };
  for (const auto& [what, with] : changes) {
    ASSERT_NE(gemma.find(what), std::string::npos) << what;
    EXPECT_EQ(format(replaced(gemma, what, with)), ChatFormat::other) << with;
  }
}

TEST(ChatTemplate, ManyLevelsAreOfAnotherKind) {
  std::string deep;
  for (int i = 0; i < 3000; ++i) deep += "{% if a %}";
  EXPECT_EQ(format(deep), ChatFormat::other);
  EXPECT_EQ(format("{{" + std::string(60000, '(') + "}}" + gemma), ChatFormat::other);
  EXPECT_EQ(format(gemma + "{#" + std::string(1 << 17, ' ') + "#}"), ChatFormat::other);
}

TEST(ChatTemplate, OthersAreOfAnotherKind) {
  EXPECT_EQ(format(""), ChatFormat::other);
  EXPECT_EQ(format(chatml), ChatFormat::other);
  EXPECT_EQ(format(gemma + chatml), ChatFormat::other);
  const std::string without_system = "{% if messages[0]['role'] == 'system' %}No.";
  EXPECT_EQ(format(without_system + "{% else %}" + by_branches + "{% endif %}"), ChatFormat::gemma);
  EXPECT_EQ(format(without_system + "{% elif tools %}" + by_branches + "{% endif %}"),
            ChatFormat::other);
  EXPECT_EQ(format("You are helpful.\n" + gemma), ChatFormat::other);
  EXPECT_EQ(format("{{ 'Answer briefly.' }}" + gemma), ChatFormat::other);
  EXPECT_EQ(format(replaced(gemma, "<start_of_turn>model", "<start_of_turn>assistant")),
            ChatFormat::other);
  EXPECT_EQ(format(replaced(gemma, "<end_of_turn>\\n", "<end_of_turn>")), ChatFormat::other);
  EXPECT_EQ(format(replaced(gemma, "start_of_turn", "start_of_speech")), ChatFormat::other);
  EXPECT_EQ(format(replaced(gemma, "'<start_of_turn>' +", "'[INST]<start_of_turn>' +")),
            ChatFormat::other);
}

TEST(ChatTemplate, IsLookedForWhereTransformersDoes) {
  const TempFolder folder;
  const auto found = [&] { return find_chat_template(folder.path()); };
  EXPECT_EQ(found().format, ChatFormat::unknown);
  folder.write("tokenizer_config.json", R"({"add_bos_token": true})");
  EXPECT_EQ(found().format, ChatFormat::none);
  const nlohmann::json named = {{{"name", "tool_use"}, {"template", chatml}},
                                {{"name", "default"}, {"template", gemma}}};
  folder.write("tokenizer_config.json", nlohmann::json{{"chat_template", named}}.dump());
  EXPECT_EQ(found().format, ChatFormat::gemma);
  folder.write("tokenizer_config.json", nlohmann::json{{"chat_template", gemma}}.dump());
  EXPECT_EQ(found().format, ChatFormat::gemma);
  folder.write("chat_template.json", nlohmann::json{{"chat_template", chatml}}.dump());
  EXPECT_EQ(found().format, ChatFormat::gemma);
  EXPECT_EQ(found().file, (folder.path() / "tokenizer_config.json").string());
  folder.write("chat_template.jinja", chatml);
  EXPECT_EQ(found().file, (folder.path() / "chat_template.jinja").string());
  EXPECT_EQ(found().format, ChatFormat::other);
  std::filesystem::remove(folder.path() / "chat_template.jinja");
  folder.write("tokenizer_config.json", "{}");
  EXPECT_EQ(found().file, (folder.path() / "chat_template.json").string());
  EXPECT_EQ(found().format, ChatFormat::other);
  folder.write("chat_template.json", "{}");
  EXPECT_EQ(found().file, (folder.path() / "tokenizer_config.json").string());
  EXPECT_EQ(found().format, ChatFormat::none);
  folder.write("chat_template.json", R"({"chat_template": 5})");
  EXPECT_THROW(found(), Error);
}

TEST(ChatTemplate, NamedOnesHaveADefault) {
  const TempFolder folder;
  const auto expect_error = [&](const nlohmann::json& list, ErrorCode code, const char* what) {
    folder.write("tokenizer_config.json", nlohmann::json{{"chat_template", list}}.dump());
    try {
      find_chat_template(folder.path());
      ADD_FAILURE() << what;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), code);
      EXPECT_NE(std::string(error.what()).find(what), std::string::npos) << error.what();
    }
  };
  const nlohmann::json rag = {{"name", "rag"}, {"template", gemma}};
  expect_error(nlohmann::json::array({rag}), ErrorCode::unsupported,
               "tokenizer_config.json: chat_template: expected a template named \"default\", "
               "found \"rag\"");
  expect_error(nlohmann::json::array(), ErrorCode::unsupported, "found none");
  expect_error(nlohmann::json::array({{{"template", gemma}}}), ErrorCode::format,
               "expected a text, or a list of names and templates");
}

TEST(ChatTemplate, ReplyHeedsIt) {
  const TempFolder folder;
  const auto embedded = std::filesystem::path(GRIFFIN_SOURCE_DIR) / "examples/models/griffin";
  for (const char* file : {"config.json", "model.safetensors"}) {
    std::filesystem::create_symlink(embedded / file, folder.path() / file);
  }
  folder.write("tokenizer.model", turn_tokenizer());
  folder.write("chat_template.jinja", chatml);
  TextGenerator model(folder.path(), {.text = {.max_new_tokens = 2}});
  EXPECT_EQ(model.generate("Who?").tokens.size(), 2U);
  try {
    model.reply("Who?");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::unsupported);
  }
  TextGenerator forced(folder.path(),
                       {.text = {.max_new_tokens = 2}, .ignore_chat_template = true});
  EXPECT_NO_THROW(forced.reply("Who?"));
}

}  // namespace
}  // namespace griffin::test
