// C++ with exceptions, a static object and thread-local data.
#include <iostream>
#include <stdexcept>
#include <string>

static std::string greeting = "hello";
thread_local std::string per_thread = "thread";

int main()
{
    try {
        throw std::runtime_error(greeting + per_thread);
    } catch (const std::exception &error) {
        std::cout << error.what() << '\n';
    }
    return 0;
}
