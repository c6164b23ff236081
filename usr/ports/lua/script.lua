-- SPDX-License-Identifier: MIT
-- What lua programs do: strings, tables, closures, coroutines, the collector, files and other programs.
local function section(name) print("== " .. name) end

section("numbers")
print(7 // 2, 7 % 3, 2^10, 1e15, 1 / 3, 0x10, 10 // 0.0, math.maxinteger, math.tointeger(3.0))
print(5 & 3, 5 | 3, 5 ~ 3, ~0, 1 << 62, string.format("%5.2f|%d|%x|%q", math.pi, 42, 255, "a\nb"))
print(math.floor(-3.5), math.ceil(-3.5), math.max(3, 9, 2), math.fmod(7, 3), math.ult(1, -1))

section("strings")
print(("hello"):upper(), ("x"):rep(3, "-"), ("hello world"):find("o w"), ("key = value"):match("(%w+)%s*=%s*(%w+)"))
print(("a,b,,c"):gsub(",", ";"), #"\u{1F99D}", utf8.len("\u{1F99D}ab"), ("abc"):byte(1, -1))
for word in ("one two three"):gmatch("%a+") do io.write(word, ".") end print()
print(string.pack("<i4", 100):byte(1, -1), (string.unpack("<i4", "\100\0\0\0")))

section("tables")
local t = {}
for i = 1, 20000 do t[i] = (i * 7919) % 20011 end
table.sort(t)
local sorted = true
for i = 2, #t do sorted = sorted and t[i - 1] <= t[i] end
print(#t, sorted, table.concat({ 1, 2, 3 }, "-"), select("#", table.unpack({ 1, 2, nil, 4 }, 1, 4)))
local keys = {}
for k in pairs({ x = 1, y = 2, z = 3 }) do keys[#keys + 1] = k end
table.sort(keys) print(table.concat(keys, ","))
local V = setmetatable({}, { __call = function(c, x) return setmetatable({ x = x }, c) end })
V.__index, V.__add, V.__eq = V, function(a, b) return V(a.x + b.x) end, function(a, b) return a.x == b.x end
V.__tostring = function(a) return "V(" .. a.x .. ")" end
print(tostring(V(1) + V(2)), V(3) == V(3), V(3) == V(4))

section("closures and coroutines")
local function counter() local n = 0 return function() n = n + 1 return n end end
local a, b = counter(), counter() a() a()
print(a(), b())
local function permutations(list, n)
	n = n or #list
	if n <= 1 then coroutine.yield(table.concat(list)) return end
	for i = 1, n do
		list[n], list[i] = list[i], list[n]
		permutations(list, n - 1)
		list[n], list[i] = list[i], list[n]
	end
end
for p in coroutine.wrap(function() permutations({ "a", "b", "c" }) end) do io.write(p, " ") end print()
local function depth(n) if n == 0 then return 0 end return 1 + depth(n - 1) end
print(depth(10000), pcall(function() local function f() return 1 + f() end f() end))

section("errors")
print(pcall(error, { code = 1 }) == false, select(2, pcall(error, "message", 0)))
print(select(2, xpcall(function() local x = nil; return x.y end, function(m) return "handled: " .. (m:match("attempt.*")) end)))

section("the collector")
for _ = 1, 200 do local big = {} for i = 1, 1000 do big[i] = { i } end end
collectgarbage() collectgarbage("generational") collectgarbage("incremental")
print(collectgarbage("count") < 8192)
local weak = setmetatable({}, { __mode = "v" })
weak[1] = {} collectgarbage() print(weak[1])
do local closed <close> = setmetatable({}, { __close = function() print("closed") end }) print("open") end

section("files")
local name = "lua-file"
local f = assert(io.open(name, "w"))
for i = 1, 1000 do f:write(i, "\n") end
f:close()
local sum = 0
for line in io.lines(name) do sum = sum + tonumber(line) end
print(sum)
f = assert(io.open(name, "r+"))
print(f:seek("end"), f:seek("set", 2), f:read("n", "l", "L"))
f:seek("set", 0) f:write("changed\n") f:close()
print((io.open(name):read("l")), os.rename(name, name .. "2"), io.open(name))
print(os.remove(name .. "2"), select(2, os.remove(name .. "2")))
local tmp = io.tmpfile() tmp:write("kept") tmp:seek("set") print(tmp:read("a"))

section("the system")
local p = assert(io.popen("echo from a shell; exit 3"))
print(p:read("a"), p:close())
print(os.execute("exit 5"))
print(os.execute("kill -9 $$"))
print(os.date("!%Y-%m-%d %H:%M:%S", 951782400), os.time({ year = 2000, month = 1, day = 1, hour = 12 }))
print(os.getenv("HOME") ~= nil, os.getenv("NOTHING"), os.clock() >= 0, os.difftime(5, 3))
