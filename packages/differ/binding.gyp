{
  "targets": [
    {
      "target_name": "differ",
      "sources": [
        "native/binding/addon.cc",
        "native/binding/blobs.cc",
        "native/binding/kernels.cc",
        "native/binding/marshal.cc",
        "native/binding/residue.cc",
        "native/core/bit_predictor.cc",
        "native/core/blob.cc",
        "native/core/chunk_frame.cc",
        "native/core/classify.cc",
        "native/core/compare.cc",
        "native/core/content_index.cc",
        "native/core/delta_codec.cc",
        "native/core/fault.cc",
        "native/core/fingerprint.cc",
        "native/core/image.cc",
        "native/core/mapped_file.cc",
        "native/core/measure.cc",
        "native/core/merkle.cc",
        "native/core/page_model.cc",
        "native/core/questions.cc",
        "native/core/residue_decoder.cc",
        "native/core/residue_encoder.cc",
        "native/core/similarity.cc",
        "native/core/sketch.cc",
        "native/core/sorted_table.cc"
      ],
      "include_dirs": ["<!@(node -p \"require('node-addon-api').include\")"],
      "defines": ["NAPI_VERSION=9", "NAPI_CPP_EXCEPTIONS"],
      "cflags_cc!": ["-fno-exceptions", "-fno-rtti", "-std=gnu++17"],
      "cflags_cc": ["-std=c++20", "-fexceptions", "-O3", "-Wall", "-Wextra", "-fvisibility=hidden"],
      "libraries": ["-lzstd", "-lxxhash", "-lcrypto"]
    }
  ]
}
