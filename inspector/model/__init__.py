"""The vocabulary both wings speak: plain, frozen data without behaviour that knows Linux or gdb."""
